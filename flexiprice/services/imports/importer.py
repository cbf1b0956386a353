"""The import itself: a file's records, row by row into staging, then all at once into the tables."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.tables import MAIN_STORE, Store
from flexiprice.errors import InvalidInput
from flexiprice.services.imports.columns import (
    ColumnMap,
    ColumnMatch,
    ImportField,
    match_columns,
    match_header,
)
from flexiprice.services.imports.dates import DEFAULT_DATE_FORMATS, DateReader
from flexiprice.services.imports.lines import text_lines
from flexiprice.services.imports.records import FileFormat, Record, RecordFile, open_records
from flexiprice.services.imports.report import ImportReport
from flexiprice.services.imports.rows import BadRow, CatalogueRow, RowReader
from flexiprice.services.imports.staging import (
    count_contradictory_products,
    create_staging,
    merge_batches,
    merge_products,
    stage_rows,
    take_out_repeated,
)

MAX_BAD_ROWS_KEPT = 1000
_ROWS_PER_STATEMENT = 2000
_SHAPES_REMEMBERED = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayout:
    """How a file is written; what is not said is found out or at its default.

    Attributes:
        columns: column of the file by field; an empty name says that no column holds the field.
        date_formats: `strptime` formats of its dates.
        decimal_comma: amounts are written `1.234,50`.
        default_store: code of the store of rows that name none.
        encoding: of its text.
        delimiter: between the cells of a CSV file.
        file_format: CSV or NDJSON.
    """

    columns: Mapping[ImportField, str] = field(default_factory=dict[ImportField, str])
    date_formats: tuple[str, ...] = DEFAULT_DATE_FORMATS
    decimal_comma: bool = False
    default_store: str = MAIN_STORE
    encoding: str = "utf-8"
    delimiter: str | None = None
    file_format: FileFormat | None = None


async def import_catalogue(
    session: AsyncSession,
    chunks: Iterable[bytes],
    layout: FileLayout | None = None,
    *,
    on_bad_row: Callable[[BadRow], None] | None = None,
) -> ImportReport:
    """Puts the products and batches of a file into the tables: the sound rows all, the bad ones not.

    A product is known by its SKU, a batch by store, SKU, lot and expiry date. What exists is brought
    up to the file, what the file does not mention stays. Of several rows about one product the last
    says what it is; of several rows about one batch all but the first are bad. A file that does not
    speak of unit costs leaves the known ones alone. Nothing is priced here.

    Args:
        session: inside a transaction; rolled back, it was a rehearsal.
        chunks: the file's bytes, in pieces of any size.
        layout: how the file is written.
        on_bad_row: told of every bad row; the report keeps only the first `MAX_BAD_ROWS_KEPT`.

    Raises:
        InvalidInput: the file as a whole, its header or its layout cannot be used.
    """
    started = time.perf_counter()
    layout = layout or FileLayout()
    dates = DateReader(layout.date_formats)
    lines = text_lines(chunks, encoding=layout.encoding)
    file = open_records(lines, delimiter=layout.delimiter, file_format=layout.file_format)
    matcher = _ColumnMatcher(file, layout.columns)
    reader = RowReader(
        stores=await _stores(session, layout.default_store),
        default_store=layout.default_store,
        dates=dates,
        decimal_comma=layout.decimal_comma,
    )
    tally = _Tally(on_bad_row)
    await create_staging(session)
    await _stage(session, _rows(file.records, matcher, reader), tally)
    async for repeated in take_out_repeated(session):
        tally.leave_out(repeated)
        tally.staged -= 1
    contradictory = await count_contradictory_products(session)
    products = await merge_products(session)
    batches = await merge_batches(session)
    return ImportReport(
        read=tally.staged + tally.bad,
        imported=tally.staged,
        bad=tally.bad,
        bad_rows=tuple(sorted(tally.bad_rows, key=lambda row: row.line)),
        products_new=products.new,
        products_updated=products.updated,
        products_unchanged=products.unchanged,
        products_contradictory=contradictory,
        batches_new=batches.new,
        batches_updated=batches.updated,
        batches_unchanged=batches.unchanged,
        columns={field.value: column for field, column in matcher.seen.items()},
        unused_columns=matcher.unused,
        duration_seconds=round(time.perf_counter() - started, 3),
    )


class _Tally:
    """Counts rows, and keeps as many of the bad ones as fit in a report."""

    def __init__(self, on_bad_row: Callable[[BadRow], None] | None) -> None:
        self._on_bad_row = on_bad_row
        self.staged = 0
        self.bad = 0
        self.bad_rows: list[BadRow] = []

    def leave_out(self, row: BadRow) -> None:
        self.bad += 1
        if len(self.bad_rows) < MAX_BAD_ROWS_KEPT:
            self.bad_rows.append(row)
        if self._on_bad_row is not None:
            self._on_bad_row(row)


class _ColumnMatcher:
    """Says which cells of a record hold what: the header once, or each NDJSON object for itself."""

    def __init__(self, file: RecordFile, mapping: ColumnMap) -> None:
        self._mapping = mapping
        self._header = match_header(file.header, mapping) if file.header is not None else None
        self._shapes: dict[tuple[str, ...], ColumnMatch] = {}
        self.seen: dict[ImportField, str] = dict(self._header.columns) if self._header else {}
        self.unused: tuple[str, ...] = self._header.unused if self._header else ()

    def columns_of(self, record: Record) -> ColumnMap:
        if self._header is not None:
            return self._header.columns
        if record.fault is not None:
            return {}
        names = tuple(record.cells)
        match = self._shapes.get(names)
        if match is None:
            # The first object shows whether the file is one of ours at all; a later one that lacks
            # something is only a bad row.
            match = match_columns(names, self._mapping) if self.seen else match_header(names, self._mapping)
            self.unused = self.unused or match.unused
            self.seen = {**match.columns, **self.seen}
            if len(self._shapes) < _SHAPES_REMEMBERED:
                self._shapes[names] = match
        return match.columns


def _rows(
    records: Iterable[Record], matcher: _ColumnMatcher, reader: RowReader
) -> Iterator[CatalogueRow | BadRow]:
    for record in records:
        yield reader.read(record, matcher.columns_of(record))


async def _stage(session: AsyncSession, rows: Iterable[CatalogueRow | BadRow], tally: _Tally) -> None:
    sound: list[CatalogueRow] = []
    for row in rows:
        if isinstance(row, BadRow):
            tally.leave_out(row)
            continue
        tally.staged += 1
        sound.append(row)
        if len(sound) == _ROWS_PER_STATEMENT:
            await stage_rows(session, sound)
            sound = []
    await stage_rows(session, sound)


async def _stores(session: AsyncSession, default: str) -> dict[str, int]:
    # Locked, so that none is deleted before the batches that name it are there.
    query = select(Store.code, Store.id).with_for_update(read=True, key_share=True)
    stores = {code: store_id for code, store_id in await session.execute(query)}  # noqa: C416 - rows are no pairs to a type checker
    if default not in stores:
        raise InvalidInput(f"there is no store {default!r}", field="store")
    return stores
