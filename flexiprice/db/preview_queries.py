"""Reads the collected changes without applying them: the totals by category, and the steepest cuts."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, case, cast, collate, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.category_spelling import category_spellings
from flexiprice.db.change_rows import CHANGES
from flexiprice.db.limit_mask import LimitMask
from flexiprice.db.tables import Batch, Product, Store
from flexiprice.domain.decision import CloseReason, DecisionKind

_NEW = CHANGES.c
_PRICE_BEFORE: ColumnElement[Any] = func.coalesce(_NEW.previous_price, _NEW.base_price)
# What is expired has no price any more; what has no discount any more has the base price.
_PRICE_AFTER: ColumnElement[Any] = case(
    (_NEW.close_reason == CloseReason.EXPIRED, 0), else_=func.coalesce(_NEW.price, _NEW.base_price)
)


async def total_changes(session: AsyncSession) -> Sequence[Row[*tuple[Any, ...]]]:
    """Category, opened, changed, closed and the stock's value before and after, by category."""
    number_of = {kind: func.count().filter(_NEW.kind == kind) for kind in DecisionKind}
    named = category_spellings()
    query = (
        select(
            func.min(named.c.category),
            number_of[DecisionKind.OPENED],
            number_of[DecisionKind.CHANGED],
            number_of[DecisionKind.CLOSED],
            func.sum(_PRICE_BEFORE * _NEW.quantity),
            func.sum(_PRICE_AFTER * _NEW.quantity),
        )
        .join(Product, Product.id == _NEW.product_id)
        .join(named, named.c.category_key == Product.category_key)
        .where(_NEW.kind.is_not(None))
        .group_by(Product.category_key)
        .order_by(Product.category_key)
    )
    found: Sequence[Row[*tuple[Any, ...]]] = (await session.execute(query)).all()
    return found


async def steepest_changes(session: AsyncSession, *, limit: int) -> Sequence[Row[*tuple[Any, ...]]]:
    """At most `limit` changes with what they are about, those that cut the price most first."""
    query = (
        select(
            _NEW.batch_id,
            Store.code,
            Product.sku,
            Product.name,
            Product.category,
            Batch.lot,
            _NEW.expiry_date,
            _NEW.days_to_expiry,
            _NEW.quantity,
            _NEW.kind,
            _NEW.close_reason,
            _NEW.price,
            _NEW.previous_price,
            _NEW.base_price,
            _NEW.rate,
            # A policy without rules makes a column of another type of this, and a connection prepares
            # the statement once.
            collate(cast(_NEW.rule, Text), "C"),
            func.coalesce(_NEW.limits, 0, type_=LimitMask()),
        )
        .join(Product, Product.id == _NEW.product_id)
        .join(Store, Store.id == _NEW.store_id)
        .join(Batch, Batch.id == _NEW.batch_id)
        .where(_NEW.kind.is_not(None))
        .order_by(func.coalesce(_NEW.price, _NEW.base_price) / _PRICE_BEFORE, _NEW.batch_id)
        .limit(limit)
    )
    return (await session.execute(query)).all()
