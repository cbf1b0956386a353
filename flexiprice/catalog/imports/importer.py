"""Imports a file: stages its rows in a temporary table, then merges them into the tables at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.constraints import fk_violation_as, unique_violation_as
from flexiprice.catalog.imports.column_matcher import ColumnMatcher
from flexiprice.catalog.imports.columns import plain_name
from flexiprice.catalog.imports.complete_stock import CompleteStock, find_left_out_stores, mark_sold_out
from flexiprice.catalog.imports.contradictions import find_renamed, remove_contradictory
from flexiprice.catalog.imports.corrected_dates import count_undated, find_corrected, keep_known_dates
from flexiprice.catalog.imports.fields import ImportField
from flexiprice.catalog.imports.files.records import RecordFile
from flexiprice.catalog.imports.files.sources import open_source
from flexiprice.catalog.imports.gtins import merge_gtins, remove_taken
from flexiprice.catalog.imports.layout import FileLayout, column_source, source_options
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.notation.dates import DateReader, Timestamps
from flexiprice.catalog.imports.problems import BadRow, DataWarning
from flexiprice.catalog.imports.report import ImportReport
from flexiprice.catalog.imports.row_prices import (
    collect_prices_by_store,
    find_doubtful_prices,
    merge_prices_by_store,
)
from flexiprice.catalog.imports.rows import RowReader
from flexiprice.catalog.imports.staged_file import read_stores, skipped_rows, stage_file
from flexiprice.catalog.imports.staging import (
    analyze_staging,
    create_staging,
    merge_batches,
    merge_products,
    stage_rows,
)
from flexiprice.catalog.imports.stated_stock import OutdatedRows
from flexiprice.catalog.imports.tally import ImportTally
from flexiprice.catalog.imports.units import remove_unfitting
from flexiprice.catalog.imports.unusable import remove_repeated, remove_unknown
from flexiprice.db.clock import database_now
from flexiprice.domain.stock_event import CLOCK_TOLERANCE
from flexiprice.errors import InvalidInput
from flexiprice.plurals import counted


@dataclass(frozen=True, slots=True)
class Imported:
    """The report of an import, and the ids of written batches, up to a limit."""

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
    complete: CompleteStock | None = None,
) -> Imported:
    """Imports the products and batches of a file; bad rows are left out and reported.

    A product is identified by its SKU, a batch by store, SKU and lot, or by its expiry date if it has no lot.
    Existing rows are updated; rows that the file does not mention stay. If rows give one product different
    costs, categories or units, one product different prices in one store, or one lot different dates, all of
    them are bad; of several names the last is kept, with a warning. Prices that differ by store are written
    to the price list; a price in which all rows agree is the product's. Of several rows for one batch, all
    but the first are bad. A lot's corrected date is a warning, too. Products gain the GTINs of their rows; a
    row with another product's GTIN is bad. A file without unit costs keeps the stored ones. A product without
    a unit keeps the stored one, at first `each`; a product with stock keeps its unit. Negative stock is kept
    as 0, with a warning. The products of a file with stock levels only must exist. A complete file with a bad
    row marks no batch as sold out; roll the transaction back then, because the file is one statement. The
    import does not price batches.

    Stock holds at its instant: earlier events do not move it, later ones do. A batch whose stock was stated
    at a later instant keeps that.

    Args:
        session: in a transaction; roll it back for a dry run.
        chunks: the file's bytes, in chunks of any size.
        layout: the notation of the file.
        on_bad_row: receives every bad row; the report has only the first `MAX_BAD_ROWS_KEPT`.
        on_warning: receives every warning; the report has only the first `MAX_WARNINGS_KEPT`.
        most_named: the maximum number of written batches to return.
        complete: if the file is the whole stock of its stores, so that batches that it leaves out are sold
            out.

    Raises:
        InvalidInput: the file as a whole, its header or its layout cannot be used; or a complete file
            leaves out too much of the stock.
        Conflict: a product was deleted concurrently.
    """
    started = time.perf_counter()
    layout = layout or FileLayout()
    with ExitStack() as stack:
        # In a thread, because a workbook takes seconds to open.
        file = await asyncio.to_thread(stack.enter_context, open_source(chunks, source_options(layout)))
        return await _import(
            session,
            file,
            layout,
            ImportTally(on_bad_row, on_warning),
            most_named=most_named,
            complete=complete,
            started=started,
        )


async def _import(
    session: AsyncSession,
    file: RecordFile,
    layout: FileLayout,
    tally: ImportTally,
    *,
    most_named: int,
    complete: CompleteStock | None,
    started: float,
) -> Imported:
    now = await database_now(session)
    as_of = layout.as_of or now
    if as_of > now + CLOCK_TOLERANCE:
        raise InvalidInput(f"{as_of.isoformat()} is in the future", field="as_of")
    dates = DateReader(layout.date_formats, layout.timestamps)
    if file.above_header:
        tally.warn(skipped_rows(file.above_header))
    source = column_source(layout)
    matcher = ColumnMatcher(file, source, tally.warn, layout.spelling, dispensable=source.dispensable)
    reader = RowReader(
        stores=await read_stores(session, layout.default_store),
        default_store=layout.default_store,
        dates=dates,
        decimal_comma=layout.decimal_comma,
        currency=layout.currency,
        warn=tally.warn,
        spelling=layout.spelling,
        default_category=layout.default_category,
        keeps_undated=layout.keeps_undated,
        local_times=layout.timestamps is Timestamps.LOCAL,
        newest=now + CLOCK_TOLERANCE,
    )
    await create_staging(session)
    records = source.carry_down(file.records)
    await stage_file(records, matcher, reader, tally, partial(stage_rows, session))
    await analyze_staging(session)
    await tally.reject_all(_remove_unusable(session, matcher, layout))
    await collect_prices_by_store(session)
    async for warning in find_doubtful_prices(session, matcher.seen.get(ImportField.BASE_PRICE)):
        tally.warn(warning)
    renamed = 0
    async for warning in find_renamed(session, matcher.seen):
        tally.warn(warning)
        renamed += 1
    products = await merge_products(session, now=now)
    await tally.reject_all(remove_unknown(session, matcher.seen.get(ImportField.SKU)))
    async for warning in _absent_values(session, matcher, reader, layout):
        tally.warn(warning)
    with fk_violation_as("a product was deleted while the file was imported; send it again"):
        batches, changed, outdated = await merge_batches(session, as_of=as_of, most_named=most_named)
    prices = await merge_prices_by_store(session, now=now)
    undated = await count_undated(session)
    if outdated.rows:
        tally.warn(_outdated(outdated))
    corrected = 0
    async for warning in find_corrected(session, matcher.seen):
        tally.warn(warning)
        corrected += 1
    sold_out = 0
    if complete is not None and not tally.bad:
        sold_out, absent = await mark_sold_out(
            session, complete, as_of=as_of, most_named=most_named, spelling=layout.spelling
        )
        changed = (*changed, *absent)[:most_named]
        async for warning in find_left_out_stores(session, complete):
            tally.warn(warning)
    with unique_violation_as("a GTIN of the file was given to another product meanwhile; send it again"):
        gtins_new = await merge_gtins(session) if ImportField.GTIN in matcher.seen else 0
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
        batches_sold_out=sold_out,
        expiry_dates_corrected=corrected,
        without_expiry_date=undated,
        gtins_new=gtins_new,
        store_prices_changed=prices.written,
        warnings=tuple(tally.warnings),
        warning_count=tally.warning_count,
        columns={field.value: plain_name(column) for field, column in matcher.seen.items()},
        unused_columns=tuple(map(plain_name, matcher.unused)),
        duration_seconds=round(time.perf_counter() - started, 3),
    )
    return Imported(report, changed)


async def _remove_unusable(
    session: AsyncSession, matcher: ColumnMatcher, layout: FileLayout
) -> AsyncIterator[BadRow]:
    async for contradictory in remove_contradictory(session, matcher.seen):
        yield contradictory
    async for repeated in remove_repeated(session, matcher.seen):
        yield repeated
    if ImportField.GTIN in matcher.seen:
        async for taken in remove_taken(session, matcher.seen[ImportField.GTIN]):
            yield taken
    async for unfitting in remove_unfitting(
        session, matcher.seen, decimal_comma=layout.decimal_comma, spelling=layout.spelling
    ):
        yield unfitting


def _outdated(outdated: OutdatedRows) -> DataWarning:
    has = "row has an earlier stock" if outdated.rows == 1 else "rows have an earlier stock"
    dates = f"; so do the expiry dates of {counted(outdated.other_dates, 'lot')}"
    return DataWarning(
        None,
        None,
        f"{outdated.rows} {has} than is known: a later one was stated, and stays"
        f"{dates if outdated.other_dates else ''}",
    )


async def _absent_values(
    session: AsyncSession, matcher: ColumnMatcher, reader: RowReader, layout: FileLayout
) -> AsyncIterator[DataWarning]:
    if reader.default_categories:
        taken = shown(layout.default_category or "")
        message = f"{counted(reader.default_categories, 'row')} without a category: {taken} is taken"
        yield DataWarning(None, matcher.seen.get(ImportField.CATEGORY), message)
    if layout.keeps_undated:
        async for warning in keep_known_dates(session, matcher.seen):
            yield warning
