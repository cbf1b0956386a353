"""The import itself: a file's records, row by row into staging, then all at once into the tables."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.constraints import fk_violation_as
from flexiprice.catalog.imports.column_matcher import ColumnMatcher
from flexiprice.catalog.imports.columns import ImportField, plain_name
from flexiprice.catalog.imports.contradictions import take_out_contradictory, tell_renamed
from flexiprice.catalog.imports.dates import DEFAULT_DATE_FORMATS, DateReader, Timestamps
from flexiprice.catalog.imports.lines import text_lines
from flexiprice.catalog.imports.records import FileFormat, Record, open_records
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.catalog.imports.rows import BadRow, CatalogueRow, DataWarning, ImportStore, RowReader
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.catalog.imports.staging import (
    analyze_staging,
    create_staging,
    merge_batches,
    merge_products,
    stage_rows,
)
from flexiprice.catalog.imports.unusable import take_out_repeated, take_out_unknown
from flexiprice.db.tables import MAIN_STORE, Store
from flexiprice.errors import InvalidInput

MAX_BAD_ROWS_KEPT = 1000
MAX_WARNINGS_KEPT = 1000
_ROWS_PER_STATEMENT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """How a file is written; what is not said is found out or at its default.

    Attributes:
        columns: column of the file by field; an empty name says that no column holds the field.
        date_formats: `strptime` formats of its dates.
        timestamps: what a date with a time of day means.
        decimal_comma: amounts are written `1.234,50`.
        currency: the shop's, ISO 4217; amounts in another one are refused.
        default_store: code of the store of rows that name none.
        encoding: of its text.
        delimiter: between the cells of a CSV file.
        file_format: CSV or NDJSON.
        spelling: how options are written in what is told of the file.
    """

    columns: Mapping[ImportField, str] = field(default_factory=dict[ImportField, str])
    date_formats: tuple[str, ...] = DEFAULT_DATE_FORMATS
    timestamps: Timestamps = Timestamps.REFUSE
    decimal_comma: bool = False
    currency: str = "EUR"
    default_store: str = MAIN_STORE
    encoding: str = "utf-8"
    delimiter: str | None = None
    file_format: FileFormat | None = None
    spelling: Spelling = Spelling.COMMAND


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, and which batches it wrote: all of them, or the first."""

    report: ImportReport
    changed_batches: tuple[int, ...]


async def import_catalogue(
    session: AsyncSession,
    chunks: Iterable[bytes],
    layout: FileLayout | None = None,
    *,
    on_bad_row: Callable[[BadRow], None] | None = None,
    on_warning: Callable[[DataWarning], None] | None = None,
    most_named: int = 0,
) -> Imported:
    """Puts the products and batches of a file into the tables: the sound rows all, the bad ones not.

    A product is known by its SKU, a batch by store, SKU, lot and expiry date. What exists is brought
    up to the file, what the file does not mention stays. Rows that give one product different prices,
    costs or categories are all bad; of several names the last holds, with a warning. Of several rows
    about one batch all but the first are bad. A file that does not speak of unit costs leaves the known
    ones alone; one that tells of stock alone is for products that exist. Nothing is priced here.

    Args:
        session: inside a transaction; rolled back, it was a rehearsal.
        chunks: the file's bytes, in pieces of any size.
        layout: how the file is written.
        on_bad_row: told of every bad row; the report keeps only the first `MAX_BAD_ROWS_KEPT`.
        on_warning: told of every warning; the report keeps only the first `MAX_WARNINGS_KEPT`.
        most_named: how many of the batches that were written to name, at most.

    Raises:
        InvalidInput: the file as a whole, its header or its layout cannot be used.
        Conflict: a product was deleted meanwhile.
    """
    started = time.perf_counter()
    layout = layout or FileLayout()
    dates = DateReader(layout.date_formats, layout.timestamps)
    lines = text_lines(chunks, encoding=layout.encoding, spelling=layout.spelling)
    file = open_records(lines, delimiter=layout.delimiter, file_format=layout.file_format)
    tally = _Tally(on_bad_row, on_warning)
    matcher = ColumnMatcher(file, layout.columns, tally.warn, layout.spelling)
    reader = RowReader(
        stores=await _stores(session, layout.default_store),
        default_store=layout.default_store,
        dates=dates,
        decimal_comma=layout.decimal_comma,
        currency=layout.currency,
        warn=tally.warn,
        spelling=layout.spelling,
    )
    await create_staging(session)
    await _stage(session, _rows(file.records, matcher, reader), tally)
    await analyze_staging(session)
    async for contradictory in take_out_contradictory(session, matcher.seen):
        tally.take_back(contradictory)
    async for repeated in take_out_repeated(session):
        tally.take_back(repeated)
    renamed = 0
    async for warning in tell_renamed(session, matcher.seen):
        tally.warn(warning)
        renamed += 1
    products = await merge_products(session)
    async for unknown in take_out_unknown(session, matcher.seen.get(ImportField.SKU)):
        tally.take_back(unknown)
    with fk_violation_as("a product was deleted while the file was imported; send it again"):
        batches, changed = await merge_batches(session, most_named=most_named)
    report = ImportReport(
        read=tally.staged + tally.bad,
        imported=tally.staged,
        bad=tally.bad,
        bad_rows=tuple(sorted(tally.bad_rows, key=lambda row: row.line)),
        products_new=products.new,
        products_updated=products.updated,
        products_unchanged=products.unchanged,
        products_contradictory=renamed,
        batches_new=batches.new,
        batches_updated=batches.updated,
        batches_unchanged=batches.unchanged,
        warnings=tuple(tally.warnings),
        warning_count=tally.warning_count,
        columns={field.value: plain_name(column) for field, column in matcher.seen.items()},
        unused_columns=tuple(map(plain_name, matcher.unused)),
        duration_seconds=round(time.perf_counter() - started, 3),
    )
    return Imported(report, changed)


class _Tally:
    """Counts rows and warnings, and keeps as many of the bad rows and warnings as fit in a report."""

    def __init__(
        self,
        on_bad_row: Callable[[BadRow], None] | None,
        on_warning: Callable[[DataWarning], None] | None,
    ) -> None:
        self._on_bad_row = on_bad_row
        self._on_warning = on_warning
        self.staged = 0
        self.bad = 0
        self.bad_rows: list[BadRow] = []
        self.warning_count = 0
        self.warnings: list[DataWarning] = []

    def leave_out(self, row: BadRow) -> None:
        self.bad += 1
        if len(self.bad_rows) < MAX_BAD_ROWS_KEPT:
            self.bad_rows.append(row)
        if self._on_bad_row is not None:
            self._on_bad_row(row)

    def take_back(self, row: BadRow) -> None:
        self.staged -= 1
        self.leave_out(row)

    def warn(self, warning: DataWarning) -> None:
        self.warning_count += 1
        if len(self.warnings) < MAX_WARNINGS_KEPT:
            self.warnings.append(warning)
        if self._on_warning is not None:
            self._on_warning(warning)


def _rows(
    records: Iterable[Record], matcher: ColumnMatcher, reader: RowReader
) -> Iterator[CatalogueRow | BadRow]:
    for record in records:
        yield reader.read(record, matcher.columns_of(record))


async def _stage(session: AsyncSession, rows: Iterator[CatalogueRow | BadRow], tally: _Tally) -> None:
    # Read beside the event loop, in which a server answers others meanwhile.
    while some := await asyncio.to_thread(list, islice(rows, _ROWS_PER_STATEMENT)):
        sound: list[CatalogueRow] = []
        for row in some:
            if isinstance(row, BadRow):
                tally.leave_out(row)
            else:
                sound.append(row)
        tally.staged += len(sound)
        await stage_rows(session, sound)


async def _stores(session: AsyncSession, default: str) -> dict[str, ImportStore]:
    # Locked, so that none is deleted before the batches that name it are there.
    query = select(Store.code, Store.id, Store.time_zone).with_for_update(read=True, key_share=True)
    rows = await session.execute(query)
    stores = {code: ImportStore(store_id, ZoneInfo(zone)) for code, store_id, zone in rows}
    if default not in stores:
        raise InvalidInput(f"there is no store {default!r}", field="store")
    return stores
