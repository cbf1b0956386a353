"""What one record of a file says: a product and a batch of it, or everything that is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeVar

from flexiprice.domain.category import category_key
from flexiprice.services.imports.cells import (
    CellRefused,
    read_category,
    read_cost,
    read_lot,
    read_name,
    read_price,
    read_quantity,
    read_sku,
    shown,
)
from flexiprice.services.imports.columns import OPTIONAL, ColumnMap, ImportField
from flexiprice.services.imports.dates import DateReader
from flexiprice.services.imports.records import Record

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CellProblem:
    """One thing wrong with a row: in which column of the file, where it is one, and why."""

    column: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.column}: {self.reason}" if self.column else self.reason


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out, by the line it begins on, with everything that is wrong with it."""

    line: int
    problems: tuple[CellProblem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueRow:
    """A sound row: a product, and a batch of it.

    `unit_cost_given` is False where the file does not speak of costs, and then a known cost stays.
    """

    line: int
    sku: str
    name: str
    category: str
    category_key: str
    base_price: Decimal
    unit_cost: Decimal | None
    unit_cost_given: bool
    store_id: int
    lot: str
    quantity: int
    expiry_date: date


class RowReader:
    """Reads records into rows."""

    def __init__(
        self, *, stores: Mapping[str, int], default_store: str, dates: DateReader, decimal_comma: bool
    ) -> None:
        """Takes the ids of the stores by code, and the store of rows that name none."""
        self._stores = stores
        self._default_store = default_store
        self._dates = dates
        self._decimal_comma = decimal_comma

    def read(self, record: Record, columns: ColumnMap) -> CatalogueRow | BadRow:
        """The row that a record holds, or all that is wrong with it."""
        if record.fault is not None:
            return BadRow(record.line, (CellProblem(None, record.fault),))
        cells = _Cells(record, columns)
        sku = cells.read(ImportField.SKU, read_sku)
        name = cells.read(ImportField.NAME, read_name)
        category = cells.read(ImportField.CATEGORY, read_category)
        base_price = cells.read(ImportField.BASE_PRICE, self._price)
        unit_cost = cells.read(ImportField.UNIT_COST, self._cost)
        store_id = cells.read(ImportField.STORE, self._store, empty=self._default_store)
        lot = cells.read(ImportField.LOT, read_lot, empty="")
        quantity = cells.read(ImportField.QUANTITY, self._quantity)
        expiry_date = cells.read(ImportField.EXPIRY_DATE, self._dates.read)
        if (
            cells.problems
            or sku is None
            or name is None
            or category is None
            or base_price is None
            or store_id is None
            or lot is None
            or quantity is None
            or expiry_date is None
        ):
            return BadRow(record.line, tuple(cells.problems))
        return CatalogueRow(
            line=record.line,
            sku=sku,
            name=name,
            category=category,
            category_key=category_key(category),
            base_price=base_price,
            unit_cost=unit_cost,
            unit_cost_given=columns.get(ImportField.UNIT_COST) in record.cells,
            store_id=store_id,
            lot=lot,
            quantity=quantity,
            expiry_date=expiry_date,
        )

    def _price(self, cell: str) -> Decimal:
        return read_price(cell, decimal_comma=self._decimal_comma)

    def _cost(self, cell: str) -> Decimal:
        return read_cost(cell, decimal_comma=self._decimal_comma)

    def _quantity(self, cell: str) -> int:
        return read_quantity(cell, decimal_comma=self._decimal_comma)

    def _store(self, cell: str) -> int:
        code = cell.strip().lower()
        store_id = self._stores.get(code)
        if store_id is None:
            near = get_close_matches(code[:64], self._stores, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise CellRefused(f"there is no store {shown(code)}{hint}")
        return store_id


class _Cells:
    """Reads the cells of one record, and keeps what is wrong with them."""

    def __init__(self, record: Record, columns: ColumnMap) -> None:
        self._cells = record.cells
        self._columns = columns
        self.problems: list[CellProblem] = []

    def read(self, field: ImportField, reader: Callable[[str], T], *, empty: str | None = None) -> T | None:
        column = self._columns.get(field)
        text = (self._cells.get(column) if column is not None else None) or ""
        if not text.strip():
            if empty is None:
                if field not in OPTIONAL:
                    self.problems.append(CellProblem(column or field.value, "is empty, and it is required"))
                return None
            text = empty
        try:
            return reader(text)
        except CellRefused as refusal:
            self.problems.append(CellProblem(column or field.value, str(refusal)))
            return None
