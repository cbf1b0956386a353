"""Files that are sent as bodies: how they are written, and where they wait until all of them is there."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Annotated, BinaryIO, Final, cast

from fastapi import Depends, Query, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from api.deps import OpenResources
from flexiprice.catalog.imports.columns import parse_column_map
from flexiprice.catalog.imports.dates import DEFAULT_DATE_FORMATS, MAX_DATE_FORMATS, Timestamps
from flexiprice.catalog.imports.importer import FileLayout
from flexiprice.catalog.imports.records import FileFormat
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.db.tables import MAIN_STORE
from flexiprice.domain.catalog import StoreCode

_FORMATS: Final[dict[str, FileFormat | None]] = {
    "application/x-ndjson": FileFormat.NDJSON,
    "application/ndjson": FileFormat.NDJSON,
    "application/jsonl": FileFormat.NDJSON,
    "text/csv": FileFormat.CSV,
    # As generated clients send what they are given; what it is shows in its first character.
    "application/octet-stream": None,
}
_MOST_COLUMNS: Final = 20
_IN_MEMORY: Final = 1 << 20


async def _layout(
    *,
    request: Request,
    resources: OpenResources,
    column: Annotated[
        list[str],
        Query(
            alias="map",
            max_length=_MOST_COLUMNS,
            description="Which column of the file holds a field: `sku=Product_ID`. An empty column (`lot=`) "
            "says that none does.",
        ),
    ] = [],  # noqa: B006 -- FastAPI reads it and changes nothing
    date_format: Annotated[
        list[str],
        Query(
            max_length=MAX_DATE_FORMATS,
            description="How dates are written, such as `%d.%m.%Y`; without one, only those that begin with "
            "the year are read.",
        ),
    ] = [],  # noqa: B006 -- as above
    timestamps: Annotated[
        Timestamps,
        Query(
            description="What a date with a time of day means: `local` is the date in the store's time zone "
            "at that instant, `written` the date as it stands; `refuse` leaves the row out."
        ),
    ] = Timestamps.REFUSE,
    decimal_comma: Annotated[
        bool, Query(description="Amounts are written 1.234,50 rather than 1,234.50.")
    ] = False,
    store: Annotated[StoreCode, Query(description="Store of the rows that name none.")] = MAIN_STORE,
    delimiter: Annotated[
        str | None,
        Query(max_length=2, description="Between the cells of CSV; by default as the header shows."),
    ] = None,
    encoding: Annotated[
        str | None,
        Query(
            max_length=40,
            description="Of the file's text; by default the `charset` of the Content-Type, or UTF-8. Excel's "
            "plain CSV is often cp1252.",
        ),
    ] = None,
) -> FileLayout:
    media_type, _, parameters = request.headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    if media_type not in _FORMATS:
        raise HTTPException(415, "send the file as `Content-Type: text/csv` or `application/x-ndjson`")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "send the file as it is, without a Content-Encoding")
    return FileLayout(
        columns=parse_column_map(column),
        date_formats=tuple(date_format) or DEFAULT_DATE_FORMATS,
        timestamps=timestamps,
        decimal_comma=decimal_comma,
        currency=resources.settings.currency,
        default_store=store,
        encoding=encoding or _charset(parameters) or "utf-8",
        delimiter=delimiter,
        file_format=_FORMATS[media_type],
        spelling=Spelling.ADDRESS,
    )


# How the file in the body is written, by the same options as `flexiprice import` has.
Layout = Annotated[FileLayout, Depends(_layout)]


def _charset(parameters: str) -> str:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return ""


@asynccontextmanager
async def spooled(request: Request) -> AsyncGenerator[BinaryIO]:
    """The body, once all of it is there: in memory where it is short, otherwise in a temporary file.

    So a client that sends slowly keeps neither a connection to the database nor a lock.
    """
    upload = UploadFile(cast("BinaryIO", SpooledTemporaryFile(max_size=_IN_MEMORY)))  # noqa: SIM115 -- closed below
    try:
        async for chunk in request.stream():
            await upload.write(chunk)
        await upload.seek(0)
        yield upload.file
    finally:
        await upload.close()
