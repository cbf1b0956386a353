"""Discounted and expiring stock over all batches: numbers, pieces and value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    SQLColumnExpression,
    and_,
    cast,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.category_spelling import category_spellings
from flexiprice.catalog.local_dates import local_dates
from flexiprice.catalog.store_prices import base_price, of_store
from flexiprice.catalog.stores import get_store
from flexiprice.db.store_price_tables import StorePrice
from flexiprice.db.tables import Batch, Discount, Product
from flexiprice.domain.category import category_key
from flexiprice.domain.quantity import THOUSANDTHS, Unit
from flexiprice.errors import InvalidInput
from flexiprice.pricing.sql.values import total_worth, worth

MAX_HORIZON: Final = 60
"""The maximum horizon in days to expiry."""


@dataclass(frozen=True, slots=True)
class ReducedStock:
    """The discounts in force of one category in one store.

    Attributes:
        store: code of the store.
        category: the category's display name.
        discounts: number of discounted batches.
        pieces: their stock of products in `each`; quantities in other units have no common sum.
        value_at_base: value of their stock at base prices.
        value_now: value of their stock at the prices in force.
    """

    store: str
    category: str
    discounts: int
    pieces: int
    value_at_base: Decimal
    value_now: Decimal


@dataclass(frozen=True, slots=True)
class ExpiringStock:
    """The stock with these days to expiry: in total, of one store or of one category.

    Attributes:
        store: code of the store; None unless grouped by store.
        category: the category's display name; None unless grouped by category.
        days_to_expiry: 0 on the last day of sale.
        batches: number of batches in stock.
        discounts: number of these with a discount.
        pieces: stock of products in `each`.
        value_at_base: value of the stock at base prices.
        value_now: value of the stock at the prices in force (the base price without a discount).
    """

    store: str | None
    category: str | None
    days_to_expiry: int
    batches: int
    discounts: int
    pieces: int
    value_at_base: Decimal
    value_now: Decimal


@dataclass(frozen=True, slots=True)
class ValueAtRisk:
    """The stock that expires within `days`.

    Attributes:
        days: maximum days to expiry.
        batches: number of batches.
        pieces: stock of products in `each`.
        value_at_base: value of the stock at base prices.
        value_now: value of the stock at the prices in force.
    """

    days: int
    batches: int
    pieces: int
    value_at_base: Decimal
    value_now: Decimal


async def list_reduced_stock(session: AsyncSession, *, now: datetime) -> tuple[ReducedStock, ...]:
    """Lists discounted stock by store and category, without expired and sold out batches, in one query."""
    stores, named = local_dates(now), category_spellings()
    value_now = total_worth(worth(Discount.price, Batch.quantity))
    query = (
        select(
            stores.c.code,
            func.min(named.c.category),
            func.count(),
            _pieces(Batch.quantity, Product.unit),
            total_worth(worth(base_price(), Batch.quantity)),
            value_now,
        )
        .select_from(Discount)
        .join(Batch, Batch.id == Discount.batch_id)
        .join(stores, stores.c.store_id == Batch.store_id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(StorePrice, of_store(Batch.product_id, Batch.store_id))
        .join(named, named.c.category_key == Product.category_key)
        # A base price below an open discount overrides it.
        .where(Batch.quantity > 0, Batch.expiry_date >= stores.c.day, Discount.price < base_price())
        .group_by(stores.c.code, Product.category_key)
        .order_by(value_now.desc(), stores.c.code, Product.category_key)
    )
    return tuple(ReducedStock(*row) for row in await session.execute(query))


async def count_discounts(session: AsyncSession, *, now: datetime) -> tuple[int, int]:
    """Counts open discounts, and those of expired batches, in one pass.

    A batch counts as expired once its last day has ended in all stores: using each batch's own store would
    require reading all batches.
    """
    stores = local_dates(now)
    earliest = select(func.min(stores.c.day)).scalar_subquery()
    expired = func.count().filter(Discount.expiry_date < earliest)
    counted = (await session.execute(select(func.count(), expired).select_from(Discount))).one()
    return counted[0], counted[1]


async def list_expiring_stock(
    session: AsyncSession,
    *,
    now: datetime,
    horizon: int = 14,
    store: str | None = None,
    category: str | None = None,
) -> tuple[ExpiringStock, ...]:
    """Lists stock by days to expiry: in total, by store and by category, in one pass over the batches.

    Args:
        session: in a transaction.
        now: the instant that decides each store's local date.
        horizon: maximum days to expiry, 0 to `MAX_HORIZON`.
        store: only the store with this code.
        category: only this category, in any spelling.

    Raises:
        InvalidInput: the horizon is out of range.
        NotFound: the store does not exist.
    """
    if not 0 <= horizon <= MAX_HORIZON:
        raise InvalidInput(f"horizon: must be from 0 to {MAX_HORIZON}", field="horizon")
    stores, named = local_dates(now), category_spellings()
    conditions: list[ColumnElement[bool]] = []
    if store is not None:
        conditions.append(stores.c.code == (await get_store(session, store)).code)
    if category is not None:
        conditions.append(Product.category_key == category_key(category))
    days = (Batch.expiry_date - stores.c.day).label("days")
    in_force = and_(Discount.batch_id == Batch.id, Discount.price < base_price())
    stock = (
        select(
            stores.c.code,
            Product.category_key,
            named.c.category,
            days,
            Batch.quantity,
            Product.unit,
            base_price().label("base_price"),
            Discount.price,
        )
        .select_from(Batch)
        .join(stores, stores.c.store_id == Batch.store_id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(StorePrice, of_store(Batch.product_id, Batch.store_id))
        .join(named, named.c.category_key == Product.category_key)
        .outerjoin(Discount, in_force)
        .where(Batch.quantity > 0, days.between(0, horizon), *conditions)
        .subquery()
    ).c
    by_store = func.grouping(stock.code) == literal(0)
    by_category = func.grouping(stock.category_key) == literal(0)
    query = (
        select(
            stock.code,
            func.min(stock.category),
            stock.days,
            func.count(),
            func.count(stock.price),
            _pieces(stock.quantity, stock.unit),
            total_worth(worth(stock.base_price, stock.quantity)),
            total_worth(worth(func.coalesce(stock.price, stock.base_price), stock.quantity)),
            by_store,
            by_category,
        )
        .group_by(
            func.grouping_sets(
                tuple_(stock.days), tuple_(stock.code, stock.days), tuple_(stock.category_key, stock.days)
            )
        )
        .order_by(stock.code.nulls_first(), stock.category_key.nulls_first(), stock.days)
    )
    return tuple(_expiring(row) for row in await session.execute(query))


def value_at_risk(
    stock: Iterable[ExpiringStock], *, days: Iterable[int] = (1, 3, 7)
) -> tuple[ValueAtRisk, ...]:
    """Adds up the totals of `list_expiring_stock` within each number of days."""
    totals = [each for each in stock if each.store is None and each.category is None]
    return tuple(_at_risk(limit, [each for each in totals if each.days_to_expiry <= limit]) for limit in days)


def _pieces(quantity: SQLColumnExpression[Any], unit: SQLColumnExpression[Any]) -> ColumnElement[int]:
    counted = func.sum(cast(quantity, BigInteger)).filter(unit == Unit.EACH)
    return cast(func.coalesce(counted, 0) / THOUSANDTHS, BigInteger)


def _at_risk(days: int, stock: list[ExpiringStock]) -> ValueAtRisk:
    return ValueAtRisk(
        days=days,
        batches=sum(each.batches for each in stock),
        pieces=sum(each.pieces for each in stock),
        value_at_base=sum((each.value_at_base for each in stock), Decimal(0)),
        value_now=sum((each.value_now for each in stock), Decimal(0)),
    )


def _expiring(row: Sequence[Any]) -> ExpiringStock:
    store, category, *rest, by_store, by_category = row
    return ExpiringStock(store if by_store else None, category if by_category else None, *rest)
