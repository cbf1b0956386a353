"""The lowest price in force of each discounted product by store."""

from functools import lru_cache

from sqlalchemy import Column, Dialect, MetaData, Table, func, select

from flexiprice.catalog.local_dates import local_dates_at
from flexiprice.catalog.store_prices import base_price, of_store
from flexiprice.db.statements import CompiledStatement, compile_statement
from flexiprice.db.store_price_tables import StorePrice
from flexiprice.db.tables import Batch, Discount, PriceSnapshot, Product
from flexiprice.pricing.sql.selection import NOW
from flexiprice.pricing.sql.values import int_literal

CURRENT_LOWEST_PRICES = Table(
    "current_lowest_prices",
    MetaData(),
    *(
        Column(name, getattr(PriceSnapshot, name).type)
        for name in ("product_id", "store_id", "price", "base_price")
    ),
)
"""The temporary table of these prices. Filling it may use parallel workers."""


@lru_cache
def compile_current_lowest_prices(dialect: Dialect) -> CompiledStatement:
    """Compiles the query of `CURRENT_LOWEST_PRICES` at `now`."""
    stores, base = local_dates_at(NOW), base_price()
    prices = (
        select(
            Batch.product_id,
            Batch.store_id,
            func.min(Discount.price).label("price"),
            base.label("base_price"),
        )
        .join(Batch, Batch.id == Discount.batch_id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(StorePrice, of_store(Batch.product_id, Batch.store_id))
        .join(stores, stores.c.store_id == Batch.store_id)
        .where(
            Batch.quantity > int_literal(0),
            Batch.expiry_date >= stores.c.day,
            # A base price below an open discount overrides it.
            Discount.price < base,
        )
        .group_by(Batch.product_id, Batch.store_id, base)
    )
    return compile_statement(prices, dialect)
