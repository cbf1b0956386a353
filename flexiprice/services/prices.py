"""What a product costs now in a store: what a till or a shelf label asks."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import and_, func, select
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


async def get_price(session: AsyncSession, *, sku: str, store: str, now: datetime) -> ProductPrice:
    """What a product costs in a store at `now`; expired and sold out batches do not count.

    Raises:
        NotFound: there is no such product or store.
    """
    product, shop = await get_product(session, sku), await get_store(session, store)
    stores = store_days(now)
    # A base price that has just been cut below an open discount wins over it until that is recomputed.
    in_force = and_(Discount.batch_id == Batch.id, Discount.price < Product.base_price)
    price = func.coalesce(Discount.price, Product.base_price)
    query = (
        select(
            func.min(price).over(),
            Batch.id,
            Batch.lot,
            Batch.expiry_date,
            price,
            func.coalesce(Discount.rate, _NO_DISCOUNT),
            Discount.rule,
            limits_of(Discount.limits),
        )
        .join(Product, Product.id == Batch.product_id)
        .join(stores, stores.c.store_id == Batch.store_id)
        .outerjoin(Discount, in_force)
        .where(
            Product.sku == sku,
            stores.c.code == store,
            Batch.quantity > 0,
            Batch.expiry_date >= stores.c.day,
        )
        .order_by(Batch.expiry_date, Batch.id)
        .limit(MAX_LISTED_BATCHES)
    )
    rows = (await session.execute(query)).all()
    return ProductPrice(
        sku=product.sku,
        store=shop.code,
        base_price=product.base_price,
        lowest_price=rows[0][0] if rows else product.base_price,
        batches=tuple(BatchPrice(*row[1:]) for row in rows),
    )
