"""Key figures of each store's stock: value at risk, discounts, and stock on its last day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import BigInteger, case, cast, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.local_dates import local_dates
from flexiprice.catalog.store_prices import base_price, of_store
from flexiprice.db.store_price_tables import StorePrice
from flexiprice.db.tables import Batch, Discount, Product
from flexiprice.pricing.sql.values import total_worth, worth

_ZERO = Decimal(0)
# Local dates differ from the UTC date by at most this.
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockFigures:
    """Key figures of one store's stock.

    Attributes:
        store: code of the store; None for all stores together.
        at_risk: value of the stock that expires within the horizon, at base prices.
        discounts: number of discounted batches.
        reduced_by: total discount on their stock.
        last_day: value of the stock on its last day of sale (local date), at the prices in force.
    """

    store: str | None = None
    at_risk: Decimal = _ZERO
    discounts: int = 0
    reduced_by: Decimal = _ZERO
    last_day: Decimal = _ZERO


async def list_stock_figures(
    session: AsyncSession, *, now: datetime, horizon: int
) -> tuple[StockFigures, ...]:
    """Lists the figures of each store with stock in the horizon or discounts, by value at risk, in one query.

    It reads only the batches in the horizon, by the index on expiry dates, and the discounts in force.

    Args:
        session: in a transaction.
        now: the instant that decides each store's local date.
        horizon: maximum days to expiry of stock at risk; 0 for the last day of sale only.
    """
    stores = local_dates(now)
    base_value = worth(base_price(), Batch.quantity)
    taken_off = worth(base_price() - Discount.price, Batch.quantity)
    is_last_day = Batch.expiry_date == stores.c.day
    expiring = (
        select(
            stores.c.code.label("store"),
            func.sum(base_value).label("at_risk"),
            literal(0).label("discounts"),
            literal(_ZERO).label("reduced_by"),
            func.sum(case((is_last_day, base_value), else_=_ZERO)).label("last_day"),
        )
        .select_from(Batch)
        .join(stores, stores.c.store_id == Batch.store_id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(StorePrice, of_store(Batch.product_id, Batch.store_id))
        .where(
            Batch.quantity > 0,
            # For the index, which has no store.
            Batch.expiry_date.between(now.date() - _DAY, now.date() + (1 + horizon) * _DAY),
            Batch.expiry_date.between(stores.c.day, stores.c.day + horizon),
        )
        .group_by(stores.c.code)
    )
    reduced = (
        select(
            stores.c.code,
            literal(_ZERO),
            func.count(),
            func.sum(taken_off),
            # The first query counted stock on its last day at base price.
            func.sum(case((is_last_day, -taken_off), else_=_ZERO)),
        )
        .select_from(Discount)
        .join(Batch, Batch.id == Discount.batch_id)
        .join(stores, stores.c.store_id == Batch.store_id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(StorePrice, of_store(Batch.product_id, Batch.store_id))
        # A base price below an open discount overrides it.
        .where(Batch.quantity > 0, Batch.expiry_date >= stores.c.day, Discount.price < base_price())
        .group_by(stores.c.code)
    )
    both = union_all(expiring, reduced).subquery().c
    at_risk = total_worth(both.at_risk)
    query = (
        select(
            both.store,
            at_risk.label("at_risk"),
            cast(func.sum(both.discounts), BigInteger).label("discounts"),
            total_worth(both.reduced_by).label("reduced_by"),
            total_worth(both.last_day).label("last_day"),
        )
        .group_by(both.store)
        .order_by(at_risk.desc(), both.store)
    )
    return tuple(StockFigures(**row) for row in (await session.execute(query)).mappings())


def of_all_stores(figures: Iterable[StockFigures]) -> StockFigures:
    """Adds up the figures of all stores."""
    listed = list(figures)
    return StockFigures(
        at_risk=sum((each.at_risk for each in listed), _ZERO),
        discounts=sum(each.discounts for each in listed),
        reduced_by=sum((each.reduced_by for each in listed), _ZERO),
        last_day=sum((each.last_day for each in listed), _ZERO),
    )
