"""The history of base prices, and the trace of deleted batches that finds their ledger lines again.

Triggers on `products` and `batches` write both (migration 0005), so that every writer is recorded: API,
import, upload and plain SQL. Neither table has foreign keys, because both outlive products and batches.
"""

from decimal import Decimal
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Numeric
from sqlalchemy.orm import Mapped, mapped_column

from flexiprice.db.tables import Base, Instant

ALL_STORES: Final = 0
"""The `store_id` of a base price that holds in every store. Real stores have ids from 1 on."""


class BasePrice(Base):
    """A base price of a product from `valid_from` until the product's next row begins.

    The end of a row is not stored, so two rows of a product can never overlap. A row without a price ends
    the history: the product was deleted.
    """

    __tablename__ = "base_prices"
    __table_args__ = (
        CheckConstraint("price > 0", name="price"),
        # For the retention: rows arrive in the order of their instants, so a few pages tell which are old.
        Index("ix_base_prices_valid_from", "valid_from", postgresql_using="brin"),
    )

    product_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    store_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    valid_from: Mapped[Instant] = mapped_column(primary_key=True)
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    # Several changes in one transaction are one row: nobody saw the prices in between.
    transaction_id: Mapped[int] = mapped_column(BigInteger)


class DeletedBatch(Base):
    """A batch that was deleted. The ledger is found by batch, and a deleted one's prices count as well."""

    __tablename__ = "deleted_batches"

    product_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    store_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    batch_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    deleted_at: Mapped[Instant]
