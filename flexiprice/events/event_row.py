"""An event as its source states it, with its identity and the hash of its content."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.domain.quantity import format_quantity, from_thousandths
from flexiprice.domain.stock_event import EventKind
from flexiprice.events.columns import EventField


@dataclass(frozen=True, slots=True)
class EventIdentityKey:
    """The identity of an event: its store, its source and the source's id of the line."""

    store_id: int
    source: str
    line_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event as its source states it.

    Attributes:
        line: line of the file.
        store: code of the store.
        day: the store's local date when it occurred.
        quantity: in thousandths of the product's unit.
        lot: None if the event states no lot.
        at_receipt: whether it states no instant, so that it holds at the time of receipt.
        product_id: of its product; 0 until it is found.
        digest: hash of its content; empty until the product is found.
    """

    line: int
    kind: EventKind
    key: EventIdentityKey
    store: str
    occurred_at: datetime
    day: date
    sku: str | None
    gtin: str | None
    quantity: int
    unit_price: Decimal | None
    lot: str | None
    expiry_date: date | None
    at_receipt: bool = False
    product_id: int = 0
    digest: bytes = b""

    @property
    def names_batch(self) -> bool:
        """Whether it states the lot or the expiry date of its batch."""
        return self.lot is not None or self.expiry_date is not None

    def content(self) -> dict[str, str | None]:
        """Returns what it states beside its identity, as text."""
        return {
            "kind": self.kind.value,
            "occurred_at": self.occurred_at.astimezone(UTC).isoformat(),
            "sku": self.sku,
            "gtin": self.gtin,
            "quantity": format_quantity(from_thousandths(self.quantity)),
            "unit_price": None if self.unit_price is None else str(self.unit_price),
            "lot": self.lot,
            "expiry_date": None if self.expiry_date is None else self.expiry_date.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDefaults:
    """The values that the events of a file have in common.

    Attributes:
        kind: of events without one; None if each states it.
        source: of events without one; None if each states it.
        occurred_at: of events without one; None if each states it. A count without one holds at receipt.
        store: code of the store of events without one.
        decimal_comma: whether numbers are written as `1,5`.
        local_times: whether a time without an offset is local to the store; otherwise it is refused.
        currency: the installation's, ISO 4217.
        date_formats: formats of expiry dates.
        spelling: the notation of options in messages.
    """

    store: str
    currency: str
    kind: EventKind | None = None
    source: str | None = None
    occurred_at: datetime | None = None
    decimal_comma: bool = False
    local_times: bool = False
    date_formats: tuple[str, ...] | None = None
    spelling: Spelling = Spelling.COMMAND

    @property
    def known_fields(self) -> frozenset[EventField]:
        """The fields that need no column."""
        needs_none = {
            EventField.KIND: self.kind is not None,
            EventField.SOURCE: self.source is not None,
            # A count without an instant holds at its receipt.
            EventField.OCCURRED_AT: self.occurred_at is not None or self.kind is EventKind.COUNT,
        }
        return frozenset(field for field, is_known in needs_none.items() if is_known)


def of_product(row: EventRow, product_id: int) -> EventRow:
    """Returns the event with its product and its digest; SKU and GTIN of one product are the same content."""
    content = {**row.content(), "sku": str(product_id), "gtin": None}
    if row.at_receipt:
        # Sent again, it has another time of receipt and is still the same.
        content["occurred_at"] = None
    digest = hashlib.blake2b(repr(sorted(content.items())).encode(), digest_size=16).digest()
    return replace(row, product_id=product_id, digest=digest)


def draw_of(key: EventIdentityKey) -> int:
    """Returns a number below 2^32 that is always the same for an identity."""
    named = f"{key.store_id}\0{key.source}\0{key.line_id}"
    return int.from_bytes(hashlib.blake2b(named.encode(), digest_size=4).digest())
