"""Reads a record of a file of prices into a row, or into its problems."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from flexiprice.catalog.imports.fields import ColumnMap, ImportField
from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.layout import FileLayout
from flexiprice.catalog.imports.notation.cells import read_price, read_sku
from flexiprice.catalog.imports.notation.dates import DateReader
from flexiprice.catalog.imports.problems import BadRow, CellProblem, DataWarning
from flexiprice.catalog.imports.record_cells import RecordCells
from flexiprice.catalog.imports.rows import ImportStore, find_store

_UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """A good row: a price of a product in a store, or in all of them.

    Without a store and dates, it is the product's own base price. Without `valid_from` it begins today.
    """

    line: int
    sku: str
    store_id: int | None
    valid_from: date | None
    valid_until: date | None
    price: Decimal


class PriceRowReader:
    """Reads records into rows of prices."""

    def __init__(
        self,
        layout: FileLayout,
        *,
        stores: Mapping[str, ImportStore],
        default_store: str | None,
        now: datetime,
        warn: Callable[[DataWarning], None],
    ) -> None:
        """Takes the notation, the stores by code, that of rows without one, and the present instant."""
        self._layout = layout
        self._stores = stores
        self._default_store = None if default_store is None else stores[default_store]
        self._now = now
        self._warn = warn
        self._dates = DateReader(layout.date_formats, layout.timestamps)
        self._price = lru_cache(maxsize=4096, typed=True)(self._read_price)
        self._store = lru_cache(maxsize=1024)(self._read_store)

    def read(self, record: Record, columns: ColumnMap) -> PriceRow | BadRow:
        """Reads a record; returns the row, or its problems."""
        if record.fault is not None:
            return BadRow(record.line, (CellProblem(None, record.fault),))
        cells = RecordCells(record, columns, self._warn, self._layout.spelling)
        sku = cells.read(ImportField.SKU, read_sku)
        price = cells.read(ImportField.BASE_PRICE, self._price)
        store = cells.read(ImportField.STORE, self._store) or self._default_store
        zone = _UTC if store is None else store.zone
        valid_from = cells.read(ImportField.VALID_FROM, lambda cell: self._dates.read(cell, zone))
        valid_until = cells.read(ImportField.VALID_UNTIL, lambda cell: self._dates.read(cell, zone))
        problems = list(cells.problems)
        if not problems and valid_until is not None:
            begins = valid_from
            if begins is None and store is not None:
                begins = self._now.astimezone(zone).date()
            if (reason := _fault_of_end(valid_until, begins)) is not None:
                problems.append(CellProblem(columns.get(ImportField.VALID_UNTIL), reason))
        if problems or sku is None or price is None:
            return BadRow(record.line, tuple(problems))
        return PriceRow(
            line=record.line,
            sku=sku,
            store_id=None if store is None else store.store_id,
            valid_from=valid_from,
            valid_until=valid_until,
            price=price,
        )

    def _read_store(self, cell: str) -> ImportStore:
        return find_store(self._stores, cell)

    def _read_price(self, cell: str) -> Decimal:
        return read_price(cell, decimal_comma=self._layout.decimal_comma, currency=self._layout.currency)


def _fault_of_end(valid_until: date, begins: date | None) -> str | None:
    if begins is None:
        return "needs valid_from where the row names no store, as days begin at another instant in each"
    if valid_until < begins:
        return f"is {valid_until}, before the first day {begins}"
    return None
