"""Imports a file of prices: of products, and of products in stores, from one day to another."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.constraints import fk_violation_as
from flexiprice.catalog.imports.column_matcher import ColumnMatcher
from flexiprice.catalog.imports.columns import plain_name
from flexiprice.catalog.imports.fields import FileKind, ImportField
from flexiprice.catalog.imports.files.records import RecordFile
from flexiprice.catalog.imports.files.sources import open_source
from flexiprice.catalog.imports.layout import FileLayout, column_source, source_options
from flexiprice.catalog.imports.price_rows import PriceRowReader
from flexiprice.catalog.imports.price_staging import (
    create_price_rows,
    merge_default_prices,
    remove_contradictory_prices,
    remove_unknown_products,
    stage_price_rows,
    state_rows,
)
from flexiprice.catalog.imports.problems import BadRow, DataWarning
from flexiprice.catalog.imports.staged_file import read_stores, skipped_rows, stage_file
from flexiprice.catalog.imports.tally import ImportTally
from flexiprice.catalog.price_list import begin_today, create_stated_prices, state_prices
from flexiprice.db.clock import database_now
from flexiprice.db.locks import Lock, acquire


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceReport:
    """The result of an import of prices.

    Attributes:
        read: records in the file without empty ones: `imported` + `bad`.
        imported: rows that were imported.
        bad: rows that were left out.
        bad_rows: the first of them, by line.
        products_updated: products whose base price differed.
        products_unchanged: products whose base price did not.
        prices_new: new entries of the price list.
        prices_updated: entries with another price or last day.
        prices_ended: entries for all stores that a product's base price replaced.
        prices_unchanged: entries that did not differ.
        warnings: the first warnings.
        warning_count: the total number of warnings.
        columns: the column of the file by field.
        unused_columns: columns that were not read.
        duration_seconds: duration.
    """

    read: int
    imported: int
    bad: int
    bad_rows: tuple[BadRow, ...]
    products_updated: int
    products_unchanged: int
    prices_new: int
    prices_updated: int
    prices_ended: int
    prices_unchanged: int
    warnings: tuple[DataWarning, ...]
    warning_count: int
    columns: Mapping[str, str]
    unused_columns: tuple[str, ...]
    duration_seconds: float

    @property
    def written(self) -> Mapping[str, int]:
        """The numbers of written rows by kind, for the audit; empty if none was."""
        counts = {
            "products_updated": self.products_updated,
            "prices_new": self.prices_new,
            "prices_updated": self.prices_updated,
            "prices_ended": self.prices_ended,
        }
        return {name: count for name, count in counts.items() if count}


async def import_prices(
    session: AsyncSession,
    chunks: Iterable[bytes],
    layout: FileLayout,
    *,
    store: str | None = None,
    on_bad_row: Callable[[BadRow], None] | None = None,
    on_warning: Callable[[DataWarning], None] | None = None,
) -> PriceReport:
    """Imports the prices of a file; bad rows are left out and reported. Their products must exist.

    A row without a store and dates is the base price of its product. A row with a store or dates is an entry
    of the price list, by product, store and first day; without `valid_from` it begins today, in place of the
    price with the same end that holds. Rows that contradict each other are all bad. The import does not price
    batches.

    Args:
        session: in a transaction; roll it back for a dry run.
        chunks: the file's bytes, in chunks of any size.
        layout: the notation of the file.
        store: code of the store of rows without one; None if they are for all stores.
        on_bad_row: receives every bad row.
        on_warning: receives every warning.

    Raises:
        InvalidInput: the file as a whole, its header or its layout cannot be used.
        Conflict: a product was deleted concurrently.
    """
    started = time.perf_counter()
    with ExitStack() as stack:
        # In a thread, because a workbook takes seconds to open.
        file = await asyncio.to_thread(stack.enter_context, open_source(chunks, source_options(layout)))
        tally = ImportTally(on_bad_row, on_warning)
        return await _import(session, file, layout, tally, store=store, started=started)


async def _import(
    session: AsyncSession,
    file: RecordFile,
    layout: FileLayout,
    tally: ImportTally,
    *,
    store: str | None,
    started: float,
) -> PriceReport:
    now = await database_now(session)
    if file.above_header:
        tally.warn(skipped_rows(file.above_header))
    source = column_source(layout)
    matcher = ColumnMatcher(file, source, tally.warn, layout.spelling, FileKind.PRICES)
    # Imports update products in different orders, and would deadlock.
    await acquire(session, Lock.IMPORTS)
    reader = PriceRowReader(
        layout,
        stores=await read_stores(session, store),
        default_store=store,
        now=now,
        warn=tally.warn,
    )
    await create_price_rows(session)
    records = source.carry_down(file.records)
    await stage_file(records, matcher, reader, tally, partial(stage_price_rows, session))
    await tally.reject_all(remove_unknown_products(session, matcher.seen.get(ImportField.SKU)))
    with fk_violation_as("a product was deleted while the file was imported; send it again"):
        await create_stated_prices(session)
        await state_rows(session)
        await begin_today(session, now=now)
        price_column = matcher.seen.get(ImportField.BASE_PRICE)
        await tally.reject_all(remove_contradictory_prices(session, price_column))
        changed, unchanged, ended = await merge_default_prices(session, now=now)
        entries = await state_prices(session, now=now, has_ended=ended > 0)
    return PriceReport(
        read=tally.staged + tally.bad,
        imported=tally.staged,
        bad=tally.bad,
        bad_rows=tuple(sorted(tally.bad_rows, key=lambda row: row.line)),
        products_updated=changed,
        products_unchanged=unchanged,
        prices_new=entries.new,
        prices_updated=entries.updated,
        prices_ended=ended,
        prices_unchanged=entries.unchanged,
        warnings=tuple(tally.warnings),
        warning_count=tally.warning_count,
        columns={field.value: plain_name(column) for field, column in matcher.seen.items()},
        unused_columns=tuple(map(plain_name, matcher.unused)),
        duration_seconds=round(time.perf_counter() - started, 3),
    )
