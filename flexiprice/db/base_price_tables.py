"""The tables of base price history and of deleted batches, which locate the ledger lines of deleted batches.

Triggers on `products`, `store_prices` and `batches` write both (migrations 0001 and 0006), so that every
writer is recorded: API, import, upload and plain SQL. Neither table has foreign keys, because both outlive
products and batches.
"""

from decimal import Decimal
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from flexiprice.db.tables import Base, Instant

ALL_STORES: Final = 0
"""The `store_id` of a base price for all stores. Ids of stores start at 1."""


class BasePrice(Base):
    """A base price of a product, in a store or in all, from `valid_from` until the next such row begins.

    The end is not stored, so rows cannot overlap. A row without a price ends them: the product was deleted,
    or the price of all stores holds in the store again.
    """

    __tablename__ = "base_prices"
    __table_args__ = (
        CheckConstraint("price > 0", name="price"),
        # For retention: rows are inserted in the order of their instants, so BRIN finds the old ones.
        Index("ix_base_prices_valid_from", "valid_from", postgresql_using="brin"),
    )

    product_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    store_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    valid_from: Mapped[Instant] = mapped_column(primary_key=True)
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    # Several changes in one transaction are one row: the prices in between were never visible.
    transaction_id: Mapped[int] = mapped_column(BigInteger)


class DeletedBatch(Base):
    """A deleted batch. The ledger is indexed by batch, and prices of deleted batches count too."""

    __tablename__ = "deleted_batches"

    product_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    store_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    batch_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    deleted_at: Mapped[Instant]
