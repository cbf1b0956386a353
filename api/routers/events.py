"""`POST /admin/events`: receives sales, waste, counts and deliveries."""

from collections.abc import Iterator
from typing import Annotated, BinaryIO, Final

from fastapi import APIRouter, Query, Request, Response

from api.audit.context import add_audit_details, skip_audit
from api.deps import OpenResources, Transaction
from api.openapi import problems
from api.problems import ProblemResponse
from api.reprice_after_commit import Reprice
from api.route_class import UploadRoute
from api.schemas.events import EventReportOut, EventsOut
from api.schemas.problem import FieldError
from api.upload import require_media_type, spooled
from flexiprice.catalog.imports.files.records import FileFormat
from flexiprice.catalog.imports.files.sources import SourceOptions, chunks_of
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.db.tables import MAIN_STORE
from flexiprice.domain.catalog import StoreCode
from flexiprice.events.event_row import EventDefaults, EventRow
from flexiprice.events.reading import event_reader, read_file
from flexiprice.events.recording import record_events
from flexiprice.events.report import ChunkResult
from flexiprice.plurals import counted

_ONE: Final = "application/json"
_MEDIA_TYPES: Final = frozenset(
    {_ONE, "application/x-ndjson", "application/ndjson", "application/jsonl", "application/octet-stream"}
)
_SALE: Final = (
    '{"kind": "sale", "store": "main", "source": "till-1", "line_id": "17-2", '
    '"occurred_at": "2026-03-31T18:05:00+02:00", "sku": "BREAD-RYE-1", "quantity": 2, "unit_price": "1.75"}\n'
)
_REQUEST_BODY: Final = {
    "required": True,
    "content": {
        # Client generators support this type; they skip operations with application/x-ndjson.
        "application/octet-stream": {
            "schema": {"type": "string", "format": "binary"},
            "examples": {
                "sale": {"value": _SALE},
                "return": {"value": _SALE.replace("17-2", "18-1").replace(": 2,", ": -1,")},
                "delivery and count": {
                    "value": '{"kind": "delivery", "source": "erp", "line_id": "D-9/1", "occurred_at": '
                    '"2026-03-31T04:00:00Z", "sku": "MILK-1L", "expiry_date": "2026-04-07", "lot": "L-0815", '
                    '"quantity": 60}\n'
                    '{"kind": "count", "source": "scanner-3", "line_id": "1", "occurred_at": '
                    '"2026-03-31T20:00:00Z", "gtin": "4006381333931", "lot": "L-0815", "quantity": 12}\n'
                },
            },
        },
    },
}


router = APIRouter(prefix="/events", tags=["events"], route_class=UploadRoute)


@router.post(
    "",
    response_model=EventsOut,
    openapi_extra={"requestBody": _REQUEST_BODY},
    responses=problems(401, 413, 415, 503),
)
async def receive_events(
    transaction: Transaction,
    reprice: Reprice,
    request: Request,
    resources: OpenResources,
    store: Annotated[StoreCode, Query(description="Store of events that name none.")] = MAIN_STORE,
) -> EventsOut | Response:
    """Records events: one JSON object, or many as NDJSON, one a line.

    An event has `kind` (`sale`, `waste`, `count`, `delivery`), `source`, `line_id`, `occurred_at` (an instant
    with its offset), `sku` or `gtin`, and `quantity`; optionally `store`, `lot` and `expiry_date`, and for a
    sale `unit_price`, the price paid for a unit. The quantity of a return is negative.

    Store, source and line id identify an event. The same content again is ignored and counted; other content
    is set aside, and the report names the first. So a request may be repeated. A bad event is reported with
    its line, and the others are recorded; a single bad event is answered with 422. Up to 2,000 events are
    committed at once: after an error, repeat the request.

    A sale lowers the batch that its lot, or else its expiry date, names; without them, the one batch with the
    reduced price that was paid; else batches are assumed. A delivery adds to its batch, and makes it if
    `expiry_date` is given; it is bad if its lot has another expiry date. A count states the stock at its
    instant: an event that occurred before does not move it, one after does, whichever arrives first. Enqueues
    the repricing of batches whose quantity changed.
    """
    media_type, _ = require_media_type(
        request,
        _MEDIA_TYPES,
        unknown="send one event as `Content-Type: application/json`, or events, one a line, as "
        "`application/x-ndjson`",
        encoded="send the events as they are, without a Content-Encoding",
    )
    is_one = media_type == _ONE
    defaults = EventDefaults(store=store, currency=resources.settings.currency, spelling=Spelling.ADDRESS)
    retention_days = resources.settings.event_retention_days

    async def record(rows: list[EventRow]) -> ChunkResult:
        async with transaction() as session:
            result = await record_events(session, rows)
            if result.written:
                target = counted(result.recorded, "event")
                add_audit_details(request, target=target, **result.written)
                request.state.skips_audit = False
            else:
                skip_audit(request)
        return result

    async with spooled(request) as file:
        skip_audit(request)
        async with transaction() as session:
            reader = await event_reader(session, defaults, retention_days=retention_days)
        options = SourceOptions(
            file_format=FileFormat.NDJSON,
            max_unpacked_bytes=resources.settings.max_unpacked_bytes,
            spelling=Spelling.ADDRESS,
        )
        chunks = _one_line(file) if is_one else chunks_of(file)
        report, moved = await read_file(chunks, reader, record, options=options, columns={})
    if is_one and report.bad:
        errors = [
            FieldError(field=problem.column, reason=problem.reason)
            for row in report.bad_rows
            for problem in row.problems
        ]
        detail = "; ".join(
            f"{error.field}: {error.reason}" if error.field else error.reason for error in errors
        )
        return ProblemResponse(422, "invalid_input", detail, errors=errors)
    repricing = await reprice.reprice(moved)
    return EventsOut(report=EventReportOut.of(report), repricing=repricing)


def _one_line(file: BinaryIO) -> Iterator[bytes]:
    # An object may be written over several lines; a line break cannot stand inside a text of JSON.
    for chunk in chunks_of(file):
        yield chunk.replace(b"\r", b" ").replace(b"\n", b" ")
