"""The tables of events: sales, waste, counts and deliveries, and the changes of stock that they made.

Like the ledger, they refer to stores, products and batches without foreign keys, because they outlive them.
Quantities are thousandths of the product's unit.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from flexiprice.db.tables import Base, Instant, Money
from flexiprice.domain.stock_event import AllocationGround, EventKind


def _values(members: type[EventKind] | type[AllocationGround]) -> list[str]:
    return [member.value for member in members]


_KIND: Final = Enum(EventKind, name="event_kind", values_callable=_values)
_GROUND: Final = Enum(AllocationGround, name="allocation_ground", values_callable=_values)


class StockEvent(Base):
    """An event. Partitioned by month of `occurred_at`; whole months are dropped after the retention.

    `batch_id` is the batch that the event names, else null. The quantity of a return is negative.
    """

    __tablename__ = "stock_events"
    __table_args__ = (
        CheckConstraint("kind = 'sale' OR unit_price IS NULL", name="unit_price"),
        CheckConstraint("quantity > 0 OR kind = 'count' AND quantity = 0 OR kind = 'sale'", name="quantity"),
        {"postgresql_partition_by": "RANGE (occurred_at)"},
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    occurred_at: Mapped[Instant] = mapped_column(primary_key=True)
    received_at: Mapped[Instant] = mapped_column(server_default=func.now())
    batch_id: Mapped[int | None] = mapped_column(BigInteger)
    quantity: Mapped[int] = mapped_column(BigInteger)
    store_id: Mapped[int] = mapped_column(Integer)
    product_id: Mapped[int] = mapped_column(Integer)
    kind: Mapped[EventKind] = mapped_column(_KIND)
    unit_price: Mapped[Money | None]
    source: Mapped[str]
    line_id: Mapped[str]


class EventIdentity(Base):
    """The identity of an event, unique over all partitions for as long as the event is kept.

    A unique constraint of a partitioned table must contain the partition's key, so it would hold only
    within a month. `digest` is a hash of the content.
    """

    __tablename__ = "event_identities"
    __table_args__ = (
        CheckConstraint("length(source) BETWEEN 1 AND 64", name="source"),
        CheckConstraint("length(line_id) BETWEEN 1 AND 128", name="line_id"),
        CheckConstraint("octet_length(digest) = 16", name="digest"),
        # For retention: most events arrive in the order in which they occur.
        Index("ix_event_identities_occurred_at", "occurred_at", postgresql_using="brin"),
    )

    store_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(String, primary_key=True)
    line_id: Mapped[str] = mapped_column(String, primary_key=True)
    event_id: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    occurred_at: Mapped[Instant]
    digest: Mapped[bytes] = mapped_column(LargeBinary)


class SetAsideEvent(Base):
    """An event whose identity another event with other content has; it changed nothing."""

    __tablename__ = "set_aside_events"
    __table_args__ = (
        UniqueConstraint("store_id", "source", "line_id", "digest"),
        CheckConstraint("octet_length(digest) = 16", name="digest"),
        Index(None, "set_aside_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    set_aside_at: Mapped[Instant] = mapped_column(server_default=func.now())
    first_event_id: Mapped[int] = mapped_column(BigInteger)
    first_occurred_at: Mapped[Instant]
    store_id: Mapped[int] = mapped_column(Integer)
    source: Mapped[str]
    line_id: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    content: Mapped[dict[str, Any]] = mapped_column(JSONB)


class StockMovement(Base):
    """A change of a batch's stock, with the ground on which an event was allocated to the batch.

    `event_id` is null for a change that a person made by hand. Partitioned like the events.
    """

    __tablename__ = "stock_movements"
    __table_args__ = ({"postgresql_partition_by": "RANGE (occurred_at)"},)

    batch_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    occurred_at: Mapped[Instant] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    event_id: Mapped[int | None] = mapped_column(BigInteger)
    quantity: Mapped[int] = mapped_column(BigInteger)
    ground: Mapped[AllocationGround | None] = mapped_column(_GROUND)


class BatchStatement(Base):
    """The instant at which the stock of a batch was last stated; without a row, when it was created.

    Movements after it have changed the stock, earlier ones have not. `oversold` is what was sold beyond the
    stock, in thousandths; the quantity is zero then. This is a table of its own, so that an import that
    states unchanged stock writes no row of `batches`.
    """

    __tablename__ = "batch_statements"
    __table_args__ = (
        CheckConstraint("oversold >= 0", name="oversold"),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    batch_id: Mapped[int] = mapped_column(
        ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    stated_at: Mapped[Instant]
    oversold: Mapped[int] = mapped_column(BigInteger, server_default="0")
