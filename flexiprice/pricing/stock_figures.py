"""The stock of each store in a few numbers: what expires soon, what is reduced, what is on its last day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import BigInteger, case, cast, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.local_dates import local_dates
from flexiprice.db.tables import Batch, Discount, Product

_NOTHING = Decimal(0)
# No store's date is further than this from that in Greenwich.
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StockFigures:
    """The stock of one store in a few numbers.

    Attributes:
        store: code of the store; None for all of them together.
        at_risk: what expires within the horizon, at base prices.
        discounts: how many batches are reduced.
        reduced_by: what is taken off them, over all units.
        last_day: what is on its last day of sale by the store's own date, at the prices in force.
    """

    store: str | None = None
    at_risk: Decimal = _NOTHING
    discounts: int = 0
    reduced_by: Decimal = _NOTHING
    last_day: Decimal = _NOTHING


async def list_stock_figures(
    session: AsyncSession, *, now: datetime, horizon: int
) -> tuple[StockFigures, ...]:
    """The figures of each store that has any, by one query; the store with most at risk first.

    It reads the batches of the horizon by the index on their dates, and the discounts in force; of stock that
    keeps longer it reads nothing.

    Args:
        session: in a transaction.
        now: the instant that decides each store's date.
        horizon: days to expiry that count as a risk, 0 for the last day of sale only.
    """
    stores = local_dates(now)
    base_value = Product.base_price * Batch.quantity
    taken_off = (Product.base_price - Discount.price) * Batch.quantity
    is_last_day = Batch.expiry_date == stores.c.day
    expiring = (
        select(
            stores.c.code.label("store"),
            func.sum(base_value).label("at_risk"),
            literal(0).label("discounts"),
            literal(_NOTHING).label("reduced_by"),
            func.sum(case((is_last_day, base_value), else_=_NOTHING)).label("last_day"),
        )
        .select_from(Batch)
        .join(stores, stores.c.store_id == Batch.store_id)
        .join(Product, Product.id == Batch.product_id)
        .where(
            Batch.quantity > 0,
            # For the index, which knows no stores.
            Batch.expiry_date.between(now.date() - _DAY, now.date() + (1 + horizon) * _DAY),
            Batch.expiry_date.between(stores.c.day, stores.c.day + horizon),
        )
        .group_by(stores.c.code)
    )
    reduced = (
        select(
            stores.c.code,
            literal(_NOTHING),
            func.count(),
            func.sum(taken_off),
            # What is on its last day was counted at its base price above.
            func.sum(case((is_last_day, -taken_off), else_=_NOTHING)),
        )
        .select_from(Discount)
        .join(Batch, Batch.id == Discount.batch_id)
        .join(stores, stores.c.store_id == Batch.store_id)
        .join(Product, Product.id == Batch.product_id)
        # A base price that has just been cut below an open discount wins over it.
        .where(Batch.quantity > 0, Batch.expiry_date >= stores.c.day, Discount.price < Product.base_price)
        .group_by(stores.c.code)
    )
    both = union_all(expiring, reduced).subquery().c
    at_risk = func.sum(both.at_risk)
    query = (
        select(
            both.store,
            at_risk.label("at_risk"),
            cast(func.sum(both.discounts), BigInteger).label("discounts"),
            func.sum(both.reduced_by).label("reduced_by"),
            func.sum(both.last_day).label("last_day"),
        )
        .group_by(both.store)
        .order_by(at_risk.desc(), both.store)
    )
    return tuple(StockFigures(**row) for row in (await session.execute(query)).mappings())


def of_all_stores(figures: Iterable[StockFigures]) -> StockFigures:
    """The figures of all stores together."""
    listed = list(figures)
    return StockFigures(
        at_risk=sum((each.at_risk for each in listed), _NOTHING),
        discounts=sum(each.discounts for each in listed),
        reduced_by=sum((each.reduced_by for each in listed), _NOTHING),
        last_day=sum((each.last_day for each in listed), _NOTHING),
    )
