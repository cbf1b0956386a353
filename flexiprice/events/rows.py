"""Reads a record into an event, or into its problems."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeVar

from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.notation.cells import (
    CellRefused,
    read_cost,
    read_gtins,
    read_lot,
    read_sku,
    shown,
)
from flexiprice.catalog.imports.notation.dates import DateReader
from flexiprice.catalog.imports.notation.instants import read_instant
from flexiprice.catalog.imports.notation.spoiled import SpoiledText, meant_code
from flexiprice.catalog.imports.problems import BadRow, CellProblem
from flexiprice.catalog.imports.rows import ImportStore, find_store
from flexiprice.catalog.imports.spelling import Option, Spelling
from flexiprice.domain.stock_event import CLOCK_TOLERANCE, EventKind
from flexiprice.errors import InvalidInput
from flexiprice.events.cells import read_code, read_thousandths
from flexiprice.events.columns import EventColumns, EventField
from flexiprice.events.event_row import EventDefaults, EventIdentityKey, EventRow

T = TypeVar("T")
MAX_SOURCE: Final = 64
MAX_LINE_ID: Final = 128


class EventReader:
    """Reads records into events.

    Attributes:
        known_fields: the fields that need no column.
    """

    def __init__(
        self,
        defaults: EventDefaults,
        *,
        stores: Mapping[str, ImportStore],
        received_at: datetime,
        retention_days: int,
    ) -> None:
        """Takes what the events have in common, the stores by code, the present instant, and the retention.

        Raises:
            InvalidInput: the instant of events without one is in the future, or past the retention.
        """
        self._defaults = defaults
        self.known_fields = defaults.known_fields
        self._stores = stores
        self._codes = {store.store_id: code for code, store in stores.items()}
        self._received_at = received_at
        self._oldest = received_at - timedelta(days=retention_days)
        self._newest = received_at + CLOCK_TOLERANCE
        given = defaults.occurred_at
        if given is not None and not self._oldest <= given <= self._newest:
            raise InvalidInput(f"{given.isoformat()} is in the future, or past the retention", field="as_of")
        # The endpoint has no such option.
        self._local_times_hint = (
            (", or ", Option("timestamps", "local"), " reads it in the store's time zone")
            if defaults.spelling is Spelling.COMMAND
            else ()
        )
        formats = defaults.date_formats
        self._dates = DateReader() if formats is None else DateReader(formats)
        self._lot = lru_cache(maxsize=4096)(read_lot)
        self._gtin = lru_cache(maxsize=4096)(_read_gtin)
        self._sku = lru_cache(maxsize=4096)(read_sku)
        self._price = lru_cache(maxsize=4096, typed=True)(self._read_price)
        self._number = lru_cache(maxsize=4096, typed=True)(self._read_quantity)

    def read(self, record: Record, columns: EventColumns) -> EventRow | BadRow:
        """Reads an event; returns its problems if there are any."""
        if record.fault is not None:
            return BadRow(record.line, (CellProblem(None, record.fault),))
        cells = _Cells(record, columns, self._defaults.spelling)
        kind = cells.read(EventField.KIND, _read_kind, default=self._defaults.kind)
        source = cells.read(EventField.SOURCE, _read_source, default=self._defaults.source)
        line_id = cells.read(EventField.LINE_ID, _read_line_id)
        store = cells.read(EventField.STORE, self._store, default=self._stores.get(self._defaults.store))
        occurred_at = None
        holds_at_receipt = kind is EventKind.COUNT and self._defaults.occurred_at is None
        if store is not None:
            occurred_at = cells.read(
                EventField.OCCURRED_AT,
                lambda cell: self._instant(cell, store),
                default=self._received_at if holds_at_receipt else self._defaults.occurred_at,
            )
        sku = cells.read(EventField.SKU, self._sku, optional=True)
        gtin = cells.read(EventField.GTIN, self._gtin, optional=sku is not None or cells.has_problem)
        quantity = cells.read(EventField.QUANTITY, self._number)
        price = cells.read(EventField.UNIT_PRICE, self._price, optional=True)
        lot = cells.read(EventField.LOT, self._lot, optional=True)
        expiry = cells.read(EventField.EXPIRY_DATE, self._dates.read, optional=True)
        if kind is not None and quantity is not None:
            cells.check(_rule_of(kind, quantity, price, names_batch=lot is not None or expiry is not None))
        if (
            cells.problems
            or kind is None
            or source is None
            or line_id is None
            or store is None
            or occurred_at is None
            or quantity is None
        ):
            return BadRow(record.line, tuple(cells.problems))
        return EventRow(
            line=record.line,
            kind=kind,
            key=EventIdentityKey(store.store_id, source, line_id),
            store=self._codes[store.store_id],
            occurred_at=occurred_at,
            at_receipt=holds_at_receipt and occurred_at is self._received_at,
            day=occurred_at.astimezone(store.zone).date(),
            sku=sku,
            gtin=gtin,
            quantity=quantity,
            unit_price=price,
            lot=lot,
            expiry_date=expiry,
        )

    def _store(self, cell: str) -> ImportStore:
        return find_store(self._stores, cell)

    def _instant(self, cell: str, store: ImportStore) -> datetime:
        instant = read_instant(
            cell, store.zone, local_times=self._defaults.local_times, hint=self._local_times_hint
        )
        if instant < self._oldest:
            raise CellRefused(
                f"{shown(cell.strip())} is before {self._oldest.isoformat(timespec='minutes')}: events are "
                "kept for FLEXIPRICE_EVENT_RETENTION_DAYS, and older ones are refused"
            )
        if instant > self._newest:
            raise CellRefused(
                f"{shown(cell.strip())} is in the future: correct the clock or the offset from UTC"
            )
        return instant

    def _read_price(self, cell: str) -> Decimal:
        defaults = self._defaults
        return read_cost(cell, decimal_comma=defaults.decimal_comma, currency=defaults.currency)

    def _read_quantity(self, cell: str) -> int:
        return read_thousandths(cell, decimal_comma=self._defaults.decimal_comma)


class _Cells:
    """Reads the cells of one record."""

    def __init__(self, record: Record, columns: EventColumns, spelling: Spelling) -> None:
        self._record = record
        self._columns = columns
        self._spelling = spelling
        self.problems: list[CellProblem] = []

    @property
    def has_problem(self) -> bool:
        return bool(self.problems)

    def read(
        self,
        name: EventField,
        reader: Callable[[str], T],
        *,
        default: T | None = None,
        optional: bool = False,
    ) -> T | None:
        column = self._columns.get(name)
        text = (self._record.cells.get(column) if column is not None else None) or ""
        if column in self._record.unreadable:
            reason = f"is {self._record.unreadable[column]} where a text or a number is needed"
            self.problems.append(CellProblem(column, reason))
            return None
        if not text.strip():
            if default is None and not optional:
                needed = "sku or gtin" if name is EventField.GTIN else name.value
                self.problems.append(CellProblem(column or needed, "is empty, and it is required"))
            return default
        try:
            return reader(text)
        except CellRefused as refusal:
            self.problems.append(CellProblem(column, refusal.reason(self._spelling)))
        return None

    def check(self, rule: tuple[EventField, str] | None) -> None:
        if rule is not None:
            name, reason = rule
            self.problems.append(CellProblem(self._columns.get(name, name.value), reason))


def _rule_of(
    kind: EventKind, quantity: int, price: Decimal | None, *, names_batch: bool
) -> tuple[EventField, str] | None:
    """Returns the field and the reason for which a kind of event cannot have these values."""
    if kind is EventKind.SALE:
        return (
            (EventField.QUANTITY, "is 0: a sale has units, and a return is negative")
            if not quantity
            else None
        )
    if price is not None:
        return EventField.UNIT_PRICE, f"is given, but only a sale has a price, not a {kind}"
    if quantity < 0 or (quantity == 0 and kind is not EventKind.COUNT):
        least = "0 or more" if kind is EventKind.COUNT else "more than 0"
        return EventField.QUANTITY, f"must be {least} for a {kind}"
    if kind is EventKind.DELIVERY and not names_batch:
        return EventField.EXPIRY_DATE, "is empty: a delivery names its batch by expiry_date, or by its lot"
    return None


def _read_kind(cell: str) -> EventKind:
    try:
        return EventKind(cell.strip().casefold())
    except ValueError:
        raise CellRefused(f"{shown(cell.strip())} is none of {', '.join(EventKind)}") from None


def _read_source(cell: str) -> str:
    return read_code(cell, MAX_SOURCE)


def _read_line_id(cell: str) -> str:
    try:
        return read_code(meant_code(cell.strip()).text, MAX_LINE_ID)
    except SpoiledText as spoiled:
        raise CellRefused(f"{shown(cell.strip())} {spoiled}") from None


def _read_gtin(cell: str) -> str:
    gtins = read_gtins(cell)
    if len(gtins) != 1:
        raise CellRefused(f"{shown(cell.strip())} must be one GTIN")
    return gtins[0]
