"""The current price of a product in a store, for tills and shelf labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.batch_identity import if_dated
from flexiprice.catalog.local_dates import local_dates
from flexiprice.catalog.products import get_product
from flexiprice.catalog.store_prices import base_price, of_store
from flexiprice.catalog.stores import get_store
from flexiprice.db.store_price_tables import StorePrice
from flexiprice.db.tables import Batch, Discount, Product
from flexiprice.domain.prior_price import Reduction
from flexiprice.domain.quote import Limit
from flexiprice.pricing.price_periods import find_reductions
from flexiprice.pricing.sql.values import limits_of

# More batches of one product than any shelf holds. It limits the list, not the lowest price.
MAX_LISTED_BATCHES = 1000
_NO_DISCOUNT = Decimal("0.0000")
_BATCH_COLUMNS: Final = slice(7, None)


@dataclass(frozen=True, slots=True)
class BatchPrice:
    """The price of one batch, with its reasons. At base price the rate is 0, without rule and limits.

    `reduction` has the start and the prior price of the reduction; None at base price.
    """

    batch_id: int
    lot: str
    expiry_date: date | None
    price: Decimal
    rate: Decimal
    rule: str | None
    limits: tuple[Limit, ...]
    reduction: Reduction | None


@dataclass(frozen=True, slots=True)
class ProductPrice:
    """The price of a product in a store; `batches` are the sellable ones by expiry date.

    `base_price` is the store's. `lowest_price` is the base price if no batch is discounted. `reduction`
    belongs to the batch with the lowest price; None at base price.
    """

    product_id: int
    store_id: int
    sku: str
    store: str
    base_price: Decimal
    lowest_price: Decimal
    reduction: Reduction | None
    batches: tuple[BatchPrice, ...]


async def get_price(
    session: AsyncSession, *, sku: str, store: str, now: datetime | ColumnElement[datetime]
) -> ProductPrice:
    """Returns the price of a product in a store at `now`, without expired and sold out batches.

    Args:
        session: a transaction.
        sku: the product.
        store: the store's code.
        now: the instant, or an SQL expression for it such as `DATABASE_NOW`.

    Raises:
        NotFound: the product or the store does not exist.
    """
    rows = (await session.execute(_prices(sku, store, now))).all()
    if not rows:
        # One of the two is missing; these calls raise the right error.
        await get_store(session, store)
        await get_product(session, sku)
    first = rows[0]
    reductions = await find_reductions(
        session,
        product_id=first.product_id,
        store_id=first.store_id,
        opened={row.batch_id: row.opened_at for row in rows if row.opened_at is not None},
    )
    batches = tuple(_batch(row, reductions.get(row.batch_id)) for row in rows if row.batch_id is not None)
    return ProductPrice(
        product_id=first.product_id,
        store_id=first.store_id,
        sku=first.sku,
        store=first.store,
        base_price=first.base_price,
        lowest_price=first.lowest_price,
        reduction=_cheapest(batches),
        batches=batches,
    )


def _batch(row: Row[Any], reduction: Reduction | None) -> BatchPrice:
    values: list[Any] = [*row[_BATCH_COLUMNS], reduction]
    return BatchPrice(*values)


def _cheapest(batches: Sequence[BatchPrice]) -> Reduction | None:
    """Returns the reduction of the cheapest batch; on a tie, the one that began first."""
    reduced = [
        (batch.price, batch.reduction.began_at, batch.reduction)
        for batch in batches
        if batch.reduction is not None
    ]
    return min(reduced, key=lambda each: each[:2])[2] if reduced else None


def _prices(sku: str, store: str, now: datetime | ColumnElement[datetime]) -> Select[*tuple[Any, ...]]:
    """Selects a row per sellable batch, or one row without a batch, in one round trip."""
    stores = local_dates(now)
    can_be_sold = and_(
        Batch.product_id == Product.id,
        Batch.store_id == stores.c.store_id,
        Batch.quantity > 0,
        Batch.expiry_date >= stores.c.day,
    )
    # A base price below an open discount overrides it until the next recompute.
    in_force = and_(Discount.batch_id == Batch.id, Discount.price < base_price())
    price = func.coalesce(Discount.price, base_price())
    return (
        select(
            Product.id.label("product_id"),
            stores.c.store_id,
            Product.sku,
            stores.c.code.label("store"),
            base_price().label("base_price"),
            Discount.opened_at,
            func.min(price).over().label("lowest_price"),
            Batch.id.label("batch_id"),
            Batch.lot,
            if_dated(Batch.expiry_date, Batch.expiry_date).label("expiry_date"),
            price.label("price"),
            func.coalesce(Discount.rate, _NO_DISCOUNT).label("rate"),
            Discount.rule,
            limits_of(Discount.limits).label("limits"),
        )
        .select_from(Product)
        .join(stores, stores.c.code == store)
        .outerjoin(StorePrice, of_store(Product.id, stores.c.store_id))
        .outerjoin(Batch, can_be_sold)
        .outerjoin(Discount, in_force)
        .where(Product.sku == sku)
        .order_by(Batch.expiry_date, Batch.id)
        .limit(MAX_LISTED_BATCHES)
    )
