"""Parses a record into a row (a product and a batch of it), or into its problems."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo

from flexiprice.catalog.imports.columns import has_stock_only
from flexiprice.catalog.imports.fields import ColumnMap, ImportField
from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.notation.cells import (
    CellRefused,
    read_category,
    read_cost,
    read_gtins,
    read_lot,
    read_name,
    read_price,
    read_sku,
    shown,
)
from flexiprice.catalog.imports.notation.dates import DateReader
from flexiprice.catalog.imports.notation.instants import read_instant
from flexiprice.catalog.imports.notation.quantities import QuantityCell, read_quantity
from flexiprice.catalog.imports.notation.unit_words import read_unit
from flexiprice.catalog.imports.problems import BadRow, CellProblem, DataWarning
from flexiprice.catalog.imports.record_cells import RecordCells
from flexiprice.catalog.imports.spelling import Option, Spelling
from flexiprice.domain.category import category_key
from flexiprice.domain.quantity import Unit


@dataclass(frozen=True, slots=True)
class ImportStore:
    """A store that rows may name, with the time zone of its dates."""

    store_id: int
    zone: ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRow:
    """A good row: a product, and a batch of it.

    The product's description is None in a row of stock levels only. `unit_cost_given` is False if the file
    has no costs; then the stored cost stays. `unit` is None if the row has none; then the stored unit stays.
    `quantity_cell` is the text of a quantity that not every unit allows, else None. `gtins` have 14 digits
    each, with spaces between them; None if the row has none. `as_of` is the instant at which the quantity
    holds; None if the row states none.
    """

    line: int
    sku: str
    name: str | None
    category: str | None
    category_key: str | None
    base_price: Decimal | None
    unit_cost: Decimal | None
    unit_cost_given: bool
    store_id: int
    lot: str
    quantity: Decimal
    quantity_cell: str | None
    unit: Unit | None
    expiry_date: date
    gtins: str | None
    as_of: datetime | None = None


_LOCAL_TIMES = (", or ", Option("timestamps", "local"), " reads it in the store's time zone")
_NO_CODE = re.compile(r"[^a-z0-9_]+")
_LONGEST_CODE = 40


class RowReader:
    """Reads records into rows.

    Attributes:
        default_categories: rows that took the default category.
    """

    def __init__(
        self,
        *,
        stores: Mapping[str, ImportStore],
        default_store: str,
        dates: DateReader,
        decimal_comma: bool,
        currency: str,
        warn: Callable[[DataWarning], None],
        spelling: Spelling = Spelling.COMMAND,
        default_category: str | None = None,
        keeps_undated: bool = False,
        local_times: bool = False,
        newest: datetime | None = None,
    ) -> None:
        """Takes the stores by code, the default store's code and the receiver of warnings.

        `default_category` is that of rows without one. `keeps_undated` says whether rows without an expiry
        date are kept, with the date `NO_EXPIRY`. `currency` is the installation's; amounts in another
        currency are refused. `local_times` says whether an instant without an offset is local to the store;
        later instants than `newest` are refused.
        """
        self._default_category = default_category
        self.default_categories = 0
        self._keeps_undated = keeps_undated
        self._local_times = local_times
        self._newest = newest
        self._stores = stores
        self._default_store = default_store
        self._dates = dates
        self._decimal_comma = decimal_comma
        self._currency = currency
        self._warn = warn
        self._spelling = spelling
        # Cells repeat. A text and a number of the same letters may differ in value.
        self._price = lru_cache(maxsize=4096, typed=True)(self._read_price)
        self._cost = lru_cache(maxsize=4096, typed=True)(self._read_cost)
        self._category = lru_cache(maxsize=1024)(self._read_category)
        self._gtins = lru_cache(maxsize=4096)(read_gtins)
        self._quantity = lru_cache(maxsize=4096, typed=True)(self._read_quantity)
        self._unit = lru_cache(maxsize=64)(read_unit)

    def read(self, record: Record, columns: ColumnMap) -> CatalogueRow | BadRow:
        """Parses a record; returns the row, or its problems."""
        if record.fault is not None:
            return BadRow(record.line, (CellProblem(None, record.fault),))
        cells = RecordCells(record, columns, self._warn, self._spelling)
        sku = cells.read(ImportField.SKU, read_sku)
        name, base_price, unit_cost = None, None, None
        category: tuple[str, str] | None = None
        if not has_stock_only(columns):
            name = cells.read(ImportField.NAME, read_name)
            category = cells.read(ImportField.CATEGORY, self._category, empty="")
            base_price = cells.read(ImportField.BASE_PRICE, self._price)
            unit_cost = cells.read(ImportField.UNIT_COST, self._cost)
        store = cells.read(ImportField.STORE, self._store, empty=self._default_store)
        lot = cells.read(ImportField.LOT, read_lot, empty="")
        quantity = cells.read(ImportField.QUANTITY, self._quantity)
        unit = cells.read(ImportField.UNIT, self._unit)
        zone = store.zone if store is not None else self._stores[self._default_store].zone
        expiry_date = cells.read(ImportField.EXPIRY_DATE, lambda cell: self._expiry(cell, zone), empty="")
        gtins = cells.read(ImportField.GTIN, self._gtins)
        as_of = cells.read(ImportField.AS_OF, lambda cell: self._instant(cell, zone))
        if (
            cells.problems
            or sku is None
            or store is None
            or lot is None
            or quantity is None
            or expiry_date is None
        ):
            return BadRow(record.line, tuple(cells.problems))
        if category is not None and not cells.has_text(ImportField.CATEGORY):
            self.default_categories += 1
        if quantity.is_negative:
            cells.warn(ImportField.QUANTITY, "is negative; the stock is kept as 0")
        return CatalogueRow(
            line=record.line,
            sku=sku,
            name=name,
            category=category[0] if category else None,
            category_key=category[1] if category else None,
            base_price=base_price,
            unit_cost=unit_cost,
            unit_cost_given=columns.get(ImportField.UNIT_COST) in record.cells,
            store_id=store.store_id,
            lot=lot,
            quantity=quantity.quantity,
            quantity_cell=quantity.needs_unit,
            unit=unit,
            expiry_date=expiry_date,
            gtins=" ".join(gtins) if gtins else None,
            as_of=as_of,
        )

    def _read_price(self, cell: str) -> Decimal:
        return read_price(cell, decimal_comma=self._decimal_comma, currency=self._currency)

    def _read_cost(self, cell: str) -> Decimal:
        return read_cost(cell, decimal_comma=self._decimal_comma, currency=self._currency)

    def _read_quantity(self, cell: str) -> QuantityCell:
        return read_quantity(cell, decimal_comma=self._decimal_comma, currency=self._currency)

    def _read_category(self, cell: str) -> tuple[str, str]:
        if not cell.strip() and self._default_category is None:
            option = Option("default_category", "NAME")
            raise CellRefused("is empty, and it is required; ", option, " names one for such rows")
        category = read_category(cell) if cell.strip() else self._default_category or ""
        return category, category_key(category)

    def _expiry(self, cell: str, zone: ZoneInfo) -> date:
        return self._dates.read_expiry(cell, zone, keeps_undated=self._keeps_undated)

    def _instant(self, cell: str, zone: ZoneInfo) -> datetime:
        instant = read_instant(cell, zone, local_times=self._local_times, hint=_LOCAL_TIMES)
        if self._newest is not None and instant > self._newest:
            raise CellRefused(f"{shown(cell.strip())} is in the future")
        return instant

    def _store(self, cell: str) -> ImportStore:
        return find_store(self._stores, cell)


def find_store(stores: Mapping[str, ImportStore], cell: str) -> ImportStore:
    """Returns the store whose code or name is in a cell.

    Raises:
        CellRefused: there is none.
    """
    # Other systems write names: `Main Street` is the store `main-street`.
    store = stores.get(cell.strip().lower()) or stores.get(_code_of(cell))
    if store is None:
        raise CellRefused(unknown_store(cell, stores))
    return store


def unknown_store(cell: str, known: Collection[str]) -> str:
    """Returns the error for a store that does not exist: a similar one, and how to add it.

    Args:
        cell: the code or the name of the store.
        known: the codes of the stores.
    """
    code = _code_of(cell)[:_LONGEST_CODE]
    near = get_close_matches(code, known, n=1)
    similar = f"did you mean {near[0]}? Otherwise add" if near else "add"
    ways = f"`flexiprice stores create {code or 'CODE'}`, `POST /admin/stores` or the monitor"
    return f"there is no store {shown(cell.strip())}; {similar} it by {ways}"


def _code_of(name: str) -> str:
    return _NO_CODE.sub("-", name.strip().lower()).strip("-")
