"""The tables of catalogue and prices. Constraints enforce the rules for every writer.

Money is `NUMERIC(12, 2)` in the installation's currency, quantities are thousandths of the product's unit in
`BIGINT`, instants are `timestamptz`, and dates are local dates of the store. Triggers set `updated_at`, for
every writer, to the start of the transaction that last changed the row. It has no index, so that updates stay
HOT.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, cast

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flexiprice.db.batch_name import name_date_of
from flexiprice.db.quantity_type import QuantityType
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.quantity import Unit

Money = Annotated[Decimal, mapped_column(Numeric(12, 2))]
Stock = Annotated[Decimal, mapped_column(QuantityType)]
Rate = Annotated[Decimal, mapped_column(Numeric(5, 4))]
Instant = Annotated[datetime, mapped_column(TIMESTAMP(timezone=True))]

MAIN_STORE = "main"


class Base(DeclarativeBase):
    """Shared metadata, with a naming convention so that migrations can name constraints."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def table_of(entity: type[Base]) -> Table:
    """Returns the table of an entity, for statements on rows instead of objects."""
    return cast("Table", entity.__table__)


def _enum(kind: type[StrEnum], name: str) -> Enum:
    return Enum(kind, name=name, values_callable=_values)


def _values(members: type[StrEnum]) -> list[str]:
    return [member.value for member in members]


class Store(Base):
    """A store. `main` always exists."""

    __tablename__ = "stores"
    __table_args__ = (
        CheckConstraint("code ~ '^[a-z0-9][a-z0-9_-]{0,39}$'", name="code"),
        CheckConstraint("length(time_zone) BETWEEN 1 AND 64", name="time_zone"),
        # Refuses a zone that the server does not know (with SQLSTATE 22023): recompute would fail for every
        # store.
        CheckConstraint(
            "(timestamp '2000-01-01' AT TIME ZONE time_zone) IS NOT NULL", name="known_time_zone"
        ),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    code: Mapped[str] = mapped_column(String, unique=True)
    time_zone: Mapped[str] = mapped_column(String, server_default=text("'UTC'"))
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    updated_at: Mapped[Instant] = mapped_column(server_default=func.now())


class Product(Base):
    """A product. Categories are compared by `category_key`, see `domain.category`.

    Prices and costs are those of one `unit`.
    """

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("length(sku) BETWEEN 1 AND 64", name="sku"),
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name"),
        CheckConstraint("length(category) BETWEEN 1 AND 100", name="category"),
        CheckConstraint("length(category_key) BETWEEN 1 AND 300", name="category_key"),
        CheckConstraint("base_price BETWEEN 0.01 AND 9999999999.99", name="base_price"),
        CheckConstraint("unit_cost BETWEEN 0 AND 9999999999.99", name="unit_cost"),
        Index(None, "category_key"),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    sku: Mapped[str] = mapped_column(String, unique=True)
    name: Mapped[str]
    category: Mapped[str]
    category_key: Mapped[str]
    base_price: Mapped[Money]
    unit_cost: Mapped[Money | None]
    unit: Mapped[Unit] = mapped_column(_enum(Unit, "product_unit"), server_default=text("'each'"))
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    updated_at: Mapped[Instant] = mapped_column(server_default=func.now())


class Batch(Base):
    """A batch: the stock of one product in one store that has one lot, or without a lot one expiry date.

    Columns that every recompute reads come before the first of variable length, which makes access faster.
    """

    __tablename__ = "batches"
    __table_args__ = (
        Index("uq_batches_name", "store_id", "product_id", "lot", text(f"({name_date_of()})"), unique=True),
        CheckConstraint("quantity >= 0", name="quantity"),
        # Excludes infinity, which is a date to PostgreSQL but breaks calculations.
        CheckConstraint("expiry_date BETWEEN '1970-01-01' AND '9999-12-31'", name="expiry_date"),
        CheckConstraint("length(lot) <= 64", name="lot"),
        # The quantity is in no index, not even as a condition, so that a sale's update stays HOT.
        Index(None, "expiry_date"),
        Index(None, "product_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    quantity: Mapped[Stock]
    expiry_date: Mapped[date]
    lot: Mapped[str] = mapped_column(String, server_default=text("''"))
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    updated_at: Mapped[Instant] = mapped_column(server_default=func.now())


class Policy(Base):
    """A version of the pricing policy: immutable except for `active`, which is true of exactly one.

    Triggers refuse any other change, any deletion, and a commit that leaves no version active.
    """

    __tablename__ = "policies"
    __table_args__ = (
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("length(comment) <= 500", name="comment"),
        CheckConstraint("activated_at IS NOT NULL OR NOT active", name="activated_at"),
        Index("uq_policies_active", "active", unique=True, postgresql_where=text("active")),
    )

    version: Mapped[int] = mapped_column(Integer, primary_key=True)
    document: Mapped[dict[str, object]] = mapped_column(JSONB)
    comment: Mapped[str] = mapped_column(String, server_default=text("''"))
    active: Mapped[bool] = mapped_column(server_default=text("false"))
    activated_at: Mapped[Instant | None]
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())
    updated_at: Mapped[Instant] = mapped_column(server_default=func.now())


class Discount(Base):
    """The open discount of a batch: at most one row, deleted when it closes.

    `expiry_date`, `base_price`, `unit_cost` and `policy_version` are inputs of the price; so are
    `days_to_expiry` and `quantity`, as of `changed_at`. `fingerprint` is a hash of the inputs, see
    `pricing.sql.fingerprint`; it comes early for fast access. `limits` is a mask, see `domain.quote`. No
    changing column has an index, so that updates stay HOT.
    """

    __tablename__ = "discounts"
    __table_args__ = (
        CheckConstraint("price > 0 AND price < base_price", name="price"),
        CheckConstraint("rate >= 0 AND rate < 1", name="rate"),
        CheckConstraint("limits BETWEEN 0 AND 63", name="limits"),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    batch_id: Mapped[int] = mapped_column(ForeignKey("batches.id"), primary_key=True, autoincrement=False)
    fingerprint: Mapped[int] = mapped_column(BigInteger)
    price: Mapped[Money]
    base_price: Mapped[Money]
    unit_cost: Mapped[Money | None]
    rate: Mapped[Rate]
    rule: Mapped[str | None]
    limits: Mapped[int] = mapped_column(SmallInteger)
    policy_version: Mapped[int] = mapped_column(Integer)
    expiry_date: Mapped[date]
    days_to_expiry: Mapped[int] = mapped_column(Integer)
    quantity: Mapped[Stock]
    opened_at: Mapped[Instant]
    changed_at: Mapped[Instant]
    updated_at: Mapped[Instant] = mapped_column(server_default=func.now())


class PriceDecision(Base):
    """A line of the ledger: append-only (a trigger refuses updates and deletions), kept for good.

    It refers to batches, products and stores without foreign keys, because it outlives them. Partitioned by
    month of `decided_at`.
    """

    __tablename__ = "price_decisions"
    __table_args__ = (
        CheckConstraint("(kind = 'closed') = (close_reason IS NOT NULL)", name="close_reason"),
        CheckConstraint("(kind = 'closed') = (price IS NULL)", name="price"),
        CheckConstraint("(kind = 'opened') = (previous_price IS NULL)", name="previous_price"),
        {"postgresql_partition_by": "RANGE (decided_at)"},
    )

    batch_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    decided_at: Mapped[Instant] = mapped_column(primary_key=True)
    # Orders decisions of one batch at the same instant.
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[DecisionKind] = mapped_column(_enum(DecisionKind, "decision_kind"))
    close_reason: Mapped[CloseReason | None] = mapped_column(_enum(CloseReason, "close_reason"))
    store_id: Mapped[int] = mapped_column(Integer)
    product_id: Mapped[int] = mapped_column(Integer)
    price: Mapped[Money | None]
    previous_price: Mapped[Money | None]
    base_price: Mapped[Money]
    unit_cost: Mapped[Money | None]
    rate: Mapped[Rate | None]
    rule: Mapped[str | None]
    limits: Mapped[int] = mapped_column(SmallInteger)
    policy_version: Mapped[int] = mapped_column(Integer)
    expiry_date: Mapped[date]
    days_to_expiry: Mapped[int] = mapped_column(Integer)
    quantity: Mapped[Stock]


class PriceSnapshot(Base):
    """A product's lowest price in a store at one six-hour slot.

    A discounted product has a row in every slot. When the discount ends, one closing row has the base price;
    after it, no row means the base price. Partitioned by month of `slot_at`.
    """

    __tablename__ = "price_history"
    __table_args__ = (
        # The index includes the prices: the rows of a product's month are scattered over the table.
        PrimaryKeyConstraint("product_id", "store_id", "slot_at", postgresql_include=["price", "base_price"]),
        # Finds the newest slot and its rows.
        Index(None, "slot_at"),
        CheckConstraint("price > 0 AND price <= base_price", name="price"),
        CheckConstraint(
            "date_bin('6 hours', slot_at, timestamptz '2000-01-01 00:00:00+00') = slot_at", name="slot_at"
        ),
        {"postgresql_partition_by": "RANGE (slot_at)"},
    )

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("stores.id"))
    slot_at: Mapped[Instant]
    price: Mapped[Money]
    base_price: Mapped[Money]
