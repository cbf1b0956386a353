"""The tables of prices by store: the price list, and the prices in force now.

`flexiprice.catalog.store_prices` brings `store_prices` up to date from the price list. A trigger records each
change of `store_prices` in the history of base prices.
"""

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from flexiprice.db.tables import Base, Instant, Money

_NO_STORE = text("store_id IS NULL")
_A_STORE = text("store_id IS NOT NULL")


class PriceListEntry(Base):
    """A regular price of a product in a store, or in all stores, on some days.

    Days are local dates of the store. `valid_until` is the last day; NULL for no end. Entries may overlap:
    the store's own come before those of all stores, then the one that begins last holds.
    """

    __tablename__ = "price_list"
    __table_args__ = (
        CheckConstraint("price BETWEEN 0.01 AND 9999999999.99", name="price"),
        # Excludes infinity, which is a date to PostgreSQL but breaks calculations.
        CheckConstraint("valid_from BETWEEN '1970-01-01' AND '9999-12-31'", name="valid_from"),
        CheckConstraint("valid_until BETWEEN valid_from AND '9999-12-31'", name="valid_until"),
        # NULL is equal to nothing, so all stores need an index of their own.
        Index(
            "uq_price_list_store", "product_id", "store_id", "valid_from",
            unique=True, postgresql_where=_A_STORE,
        ),
        Index(
            "uq_price_list_all_stores", "product_id", "valid_from", unique=True, postgresql_where=_NO_STORE
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id", ondelete="CASCADE"))
    store_id: Mapped[int | None] = mapped_column(ForeignKey("stores.id", ondelete="CASCADE"))
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    price: Mapped[Money]
    created_at: Mapped[Instant] = mapped_column(server_default=func.now())


class StorePrice(Base):
    """The base price of a product in a store, where the price list has one today.

    Without a row, the base price of the product holds.
    """

    __tablename__ = "store_prices"
    __table_args__ = (CheckConstraint("price BETWEEN 0.01 AND 9999999999.99", name="price"),)

    product_id: Mapped[int] = mapped_column(
        ForeignKey("products.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    store_id: Mapped[int] = mapped_column(
        ForeignKey("stores.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    price: Mapped[Money]
