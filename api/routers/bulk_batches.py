"""`PUT /admin/batches`: the stock of many batches at once."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException

from api.audit import note, note_no_change
from api.deps import BulkTransaction
from api.openapi import problems
from api.problems import ProblemResponse
from api.repricing import MAX_NAMED_BATCHES, Reprice
from api.routes import ApiRoute
from api.schemas.catalogue import BulkReport
from api.schemas.problem import FieldError
from flexiprice.services.batch_lines import LineFormat
from flexiprice.services.bulk_batches import BulkSummary, upsert_batches

_MAX_LISTED: Final = 100

_FORMATS: Final[dict[str, LineFormat | None]] = {
    "application/x-ndjson": LineFormat.NDJSON,
    "application/ndjson": LineFormat.NDJSON,
    "application/jsonl": LineFormat.NDJSON,
    "text/csv": LineFormat.CSV,
    # As generated clients send what they are given; what it is shows in its first character.
    "application/octet-stream": None,
}
_REQUEST_BODY: Final = {
    "required": True,
    "content": {
        # Generators of clients know this one; those of lines they leave out, and the operation with them.
        "application/octet-stream": {
            "schema": {"type": "string", "format": "binary"},
            "examples": {
                "NDJSON": {
                    "value": '{"store": "main", "sku": "BREAD-RYE-1", "lot": "L-0815", '
                    '"expiry_date": "2025-04-02", "quantity": 24}\n'
                    '{"sku": "MILK-1L", "expiry_date": "2025-04-05", "quantity": 60}\n',
                },
                "CSV": {
                    "value": "store,sku,lot,expiry_date,quantity\nmain,BREAD-RYE-1,L-0815,2025-04-02,24\n",
                },
            },
        },
    },
}


class _BulkRoute(ApiRoute):
    """Its bodies are read as they come and never held, so they may be long."""

    takes_uploads = True


router = APIRouter(prefix="/batches", tags=["batches"], route_class=_BulkRoute)


@router.put(
    "",
    response_model=BulkReport,
    openapi_extra={"requestBody": _REQUEST_BODY},
    responses=problems(401, 409, 413, 415, 503),
)
async def put_batches(
    transaction: BulkTransaction,
    reprice: Reprice,
    request: Request,
    atomic: Annotated[bool, Query(description="Write nothing at all where a line is bad.")] = False,
) -> BulkReport | Response:
    """Sets the quantities of many batches, and creates those that do not exist.

    One batch a line, NDJSON or CSV with a header (`sku`, `expiry_date`, `quantity`, and where needed
    `store` and `lot`); a batch is known by store, SKU, lot and expiry date. What the lines do not
    mention stays. A bad line is reported with its number and reason and the good ones are kept, unless
    `atomic=true`. Of several lines about one batch all but the first are bad.

    The body may be sent as `text/csv`, as `application/x-ndjson`, or as `application/octet-stream`, which is
    NDJSON where its first character is `{`.
    """
    line_format = _format_of(request)
    async with transaction() as session:
        summary = await _upsert(session, request, line_format, atomic=atomic)
        if summary.applied and (summary.created or summary.updated):
            note(request, created=summary.created, updated=summary.updated)
        else:
            note_no_change(request)
    if not summary.applied:
        detail = f"{summary.rejected} of {summary.read} lines are bad, so nothing was written"
        return ProblemResponse(422, "invalid_input", detail, errors=_errors_of(summary))
    return BulkReport(
        read=summary.read,
        created=summary.created,
        updated=summary.updated,
        unchanged=summary.unchanged,
        rejected=summary.rejected,
        errors=_errors_of(summary),
        errors_truncated=len(summary.problems) > _MAX_LISTED,
        repricing=await reprice.reprice(summary.changed_batches),
    )


async def _upsert(
    session: AsyncSession, request: Request, line_format: LineFormat | None, *, atomic: bool
) -> BulkSummary:
    return await upsert_batches(
        session, request.stream(), line_format, atomic=atomic, max_changed=MAX_NAMED_BATCHES + 1
    )


def _format_of(request: Request) -> LineFormat | None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _FORMATS:
        raise HTTPException(415, "send lines as `Content-Type: application/x-ndjson` or `text/csv`")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "send the lines as they are, without a Content-Encoding")
    return _FORMATS[media_type]


def _errors_of(summary: BulkSummary) -> list[FieldError]:
    return [
        FieldError(line=problem.line, field=problem.field, reason=problem.reason)
        for problem in summary.problems[:_MAX_LISTED]
    ]
