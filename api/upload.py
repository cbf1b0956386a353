"""Uploads: parameters that describe a file's layout, and buffering of its body."""

from collections.abc import AsyncGenerator, Container, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Annotated, BinaryIO, Final, cast

from fastapi import Depends, Query, Request
from pydantic import AwareDatetime
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from api.schemas.problem import FieldError
from flexiprice.catalog.imports.column_map import parse_column_map
from flexiprice.catalog.imports.complete_stock import MAX_SOLD_OUT_PERCENT, CompleteStock
from flexiprice.catalog.imports.file_options import FileOptions, ImportRequest
from flexiprice.catalog.imports.files.records import FileFormat
from flexiprice.catalog.imports.known_exports import ExportName
from flexiprice.catalog.imports.notation.absent_dates import NoExpiry
from flexiprice.catalog.imports.notation.dates import MAX_DATE_FORMATS, Timestamps
from flexiprice.catalog.imports.problems import BadRow
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.domain.catalog import CategoryName, StoreCode

_FORMATS: Final[dict[str, FileFormat | None]] = {
    "application/x-ndjson": FileFormat.NDJSON,
    "application/ndjson": FileFormat.NDJSON,
    "application/jsonl": FileFormat.NDJSON,
    "application/json": FileFormat.JSON,
    "text/csv": FileFormat.CSV,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": FileFormat.EXCEL,
    "application/vnd.oasis.opendocument.spreadsheet": FileFormat.EXCEL,
    # Windows gives this type to CSV files too.
    "application/vnd.ms-excel": None,
    "application/gzip": None,
    "application/x-gzip": None,
    # The type that generated clients send; the file's content shows its format.
    "application/octet-stream": None,
}
_MOST_COLUMNS: Final = 20
_MOST_LISTED: Final = 100
_IN_MEMORY: Final = 1 << 20


async def _import_request(
    *,
    request: Request,
    column: Annotated[
        list[str],
        Query(
            alias="map",
            max_length=_MOST_COLUMNS,
            description="Maps a field to a column of the file: `sku=Product_ID`. An empty column (`lot=`) "
            "means that the file lacks the field.",
        ),
    ] = [],  # noqa: B006 -- FastAPI reads it and changes nothing
    date_format: Annotated[
        list[str],
        Query(
            max_length=MAX_DATE_FORMATS,
            description="Format of dates, such as `%d.%m.%Y`, or `excel` for the day numbers of a "
            "spreadsheet; by default only dates that begin with the year are accepted.",
        ),
    ] = [],  # noqa: B006 -- as above
    timestamps: Annotated[
        Timestamps | None,
        Query(
            description="Treatment of a date with a time of day: `local` takes the date in the store's time "
            "zone at that instant, `written` takes the date as written, `refuse` rejects the row, as by "
            "default."
        ),
    ] = None,
    decimal_comma: Annotated[
        bool | None, Query(description="Whether amounts are written 1.234,50 instead of 1,234.50.")
    ] = None,
    store: Annotated[
        StoreCode | None, Query(description="Store of rows that name none; `main` by default.")
    ] = None,
    default_category: Annotated[
        CategoryName | None,
        Query(description="Category of products whose rows have none; by default such rows are bad."),
    ] = None,
    no_expiry: Annotated[
        NoExpiry | None,
        Query(
            description="Treatment of rows without an expiry date, or with 9999-12-31, 2999-12-31 or "
            "2099-12-31: `keep` keeps their stock, which is never discounted; `refuse` rejects them, as by "
            "default."
        ),
    ] = None,
    format_name: Annotated[
        str | None,
        Query(
            alias="format",
            max_length=40,
            description=f"A known export ({', '.join(ExportName)}), or a mapping that "
            "`flexiprice import --save-map` has saved. The other parameters win over it.",
        ),
    ] = None,
    sheet: Annotated[
        str | None,
        Query(max_length=100, description="Sheet of a workbook; by default the only one with any content."),
    ] = None,
    delimiter: Annotated[
        str | None,
        Query(max_length=2, description="Delimiter of CSV; by default detected from the header."),
    ] = None,
    as_of: Annotated[
        AwareDatetime | None,
        Query(
            description="Instant at which the stock holds, for rows without `as_of`; by default the time of "
            "receipt. Events after it move the stock, earlier ones do not."
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        Query(
            max_length=40,
            description="Encoding of the file; by default the `charset` of the Content-Type, or UTF-8. "
            "Excel's plain CSV is often cp1252.",
        ),
    ] = None,
) -> ImportRequest:
    media_type, parameters = require_media_type(
        request,
        _FORMATS,
        unknown="send the file as `Content-Type: text/csv`, `application/x-ndjson`, `application/json`, "
        "the type of a workbook, or `application/octet-stream`",
        encoded="send the file as it is, without a Content-Encoding",
    )
    return ImportRequest(
        options=FileOptions(
            columns=parse_column_map(column),
            date_formats=tuple(date_format) or None,
            timestamps=timestamps,
            decimal_comma=decimal_comma,
            encoding=encoding or _charset(parameters) or None,
            delimiter=delimiter,
            sheet=sheet,
            store=store,
            default_category=default_category,
            no_expiry=no_expiry,
        ),
        format_name=format_name,
        file_format=_FORMATS[media_type],
        as_of=as_of,
        spelling=Spelling.ADDRESS,
    )


@dataclass(frozen=True, slots=True)
class Completeness:
    """Whether an uploaded file is the whole stock, and whether its sender is sure of it."""

    complete: bool
    yes: bool

    def of_store(self, store: str | None) -> CompleteStock | None:
        """Returns the wish for the store of the upload; None if the file is not complete."""
        return CompleteStock(store=store, is_confirmed=self.yes) if self.complete else None


async def _completeness(
    *,
    complete: Annotated[
        bool,
        Query(
            description="Whether the file is the whole stock of the stores that it names, or of `store` "
            "alone: batches that it leaves out are sold out. One bad row rejects the whole file."
        ),
    ] = False,
    yes: Annotated[
        bool,
        Query(
            description=f"Whether a complete file may leave out more than {MAX_SOLD_OUT_PERCENT} % of the "
            "batches in stock."
        ),
    ] = False,
) -> Completeness:
    return Completeness(complete, yes)


CompletenessQuery = Annotated[Completeness, Depends(_completeness)]

# The wishes about the uploaded file, by the same options as `flexiprice import`.
UploadRequest = Annotated[ImportRequest, Depends(_import_request)]


def require_media_type(
    request: Request, known: Container[str], *, unknown: str, encoded: str
) -> tuple[str, str]:
    """Returns the media type of a body, and the parameters of its Content-Type.

    Args:
        request: the request.
        known: the media types that the endpoint takes.
        unknown: the error for another one.
        encoded: the error for a body with a Content-Encoding.

    Raises:
        HTTPException: 415, with one of these errors.
    """
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    if media_type not in known:
        raise HTTPException(415, unknown)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, encoded)
    return media_type, parameters


def errors_of_rows(rows: Iterable[BadRow]) -> list[FieldError]:
    """Returns the first problems of bad rows, as the errors of a response."""
    found = [
        FieldError(line=row.line, field=problem.column, reason=problem.reason)
        for row in rows
        for problem in row.problems
    ]
    return found[:_MOST_LISTED]


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return ""


@asynccontextmanager
async def spooled(request: Request) -> AsyncGenerator[BinaryIO]:
    """Buffers the complete body: in memory if it is short, otherwise in a temporary file.

    A slow client thus occupies neither a database connection nor a lock.
    """
    upload = UploadFile(cast("BinaryIO", SpooledTemporaryFile(max_size=_IN_MEMORY)))  # noqa: SIM115 -- closed below
    try:
        async for chunk in request.stream():
            await upload.write(chunk)
        await upload.seek(0)
        yield upload.file
    finally:
        await upload.close()
