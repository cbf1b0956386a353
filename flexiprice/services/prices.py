"""What a product costs now in a store: what a till or a shelf label asks."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.limit_mask import limits_of
from flexiprice.db.store_days import store_days
from flexiprice.db.tables import Batch, Discount, Product
from flexiprice.domain.limits import Limit
from flexiprice.services.products import get_product
from flexiprice.services.stores import get_store

# More batches of one product than any shelf holds: what is listed ends there, the lowest price does not.
MAX_LISTED_BATCHES = 1000
_NO_DISCOUNT = Decimal("0.0000")


@dataclass(frozen=True, slots=True)
class BatchPrice:
    """The price of one batch, and why; at base price the rate is 0 and nothing is to be explained."""

    batch_id: int
    lot: str
    expiry_date: date
    price: Decimal
    rate: Decimal
    rule: str | None
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class ProductPrice:
    """What a product costs in a store: its batches that can be sold, the one that expires first first.

    `lowest_price` is the base price where no batch is discounted.
    """

    sku: str
    store: str
    base_price: Decimal
    lowest_price: Decimal
    batches: tuple[BatchPrice, ...]


async def get_price(
    session: AsyncSession, *, sku: str, store: str, now: datetime | ColumnElement[datetime]
) -> ProductPrice:
    """What a product costs in a store at `now`; expired and sold out batches do not count.

    Args:
        session: a transaction.
        sku: the product.
        store: the store's code.
        now: the instant, or an SQL expression for it such as `DATABASE_NOW`.

    Raises:
        NotFound: there is no such product or store.
    """
    rows = (await session.execute(_prices(sku, store, now))).all()
    if not rows:
        # One of the two is missing; these say which.
        await get_store(session, store)
        await get_product(session, sku)
    first = rows[0]
    return ProductPrice(
        sku=first.sku,
        store=first.store,
        base_price=first.base_price,
        lowest_price=first.lowest_price,
        batches=tuple(BatchPrice(*row[4:]) for row in rows if row.batch_id is not None),
    )


def _prices(sku: str, store: str, now: datetime | ColumnElement[datetime]) -> Select[*tuple[Any, ...]]:
    """A row for each batch that can be sold, or one without a batch: all in one round trip."""
    stores = store_days(now)
    can_be_sold = and_(
        Batch.product_id == Product.id,
        Batch.store_id == stores.c.store_id,
        Batch.quantity > 0,
        Batch.expiry_date >= stores.c.day,
    )
    # A base price that has just been cut below an open discount wins over it until that is recomputed.
    in_force = and_(Discount.batch_id == Batch.id, Discount.price < Product.base_price)
    price = func.coalesce(Discount.price, Product.base_price)
    return (
        select(
            Product.sku,
            stores.c.code.label("store"),
            Product.base_price,
            func.min(price).over().label("lowest_price"),
            Batch.id.label("batch_id"),
            Batch.lot,
            Batch.expiry_date,
            price.label("price"),
            func.coalesce(Discount.rate, _NO_DISCOUNT).label("rate"),
            Discount.rule,
            limits_of(Discount.limits).label("limits"),
        )
        .select_from(Product)
        .join(stores, stores.c.code == store)
        .outerjoin(Batch, can_be_sold)
        .outerjoin(Discount, in_force)
        .where(Product.sku == sku)
        .order_by(Batch.expiry_date, Batch.id)
        .limit(MAX_LISTED_BATCHES)
    )
