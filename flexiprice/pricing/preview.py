"""What a recompute would change, by the active policy or another, without writing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from time import perf_counter
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, case, cast, collate, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.category_spelling import category_spellings
from flexiprice.catalog.stores import get_store
from flexiprice.db.planner import use_bulk_plans
from flexiprice.db.tables import Batch, Product, Store
from flexiprice.domain.category import category_key
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.policy import PricingPolicy
from flexiprice.domain.quote import Limit
from flexiprice.errors import InvalidInput
from flexiprice.pricing.policy_versions import get_active_rules
from flexiprice.pricing.recompute import (
    DEFAULT_DAYS_THRESHOLD,
    RecomputeSummary,
    check_days_threshold,
    stage_price_changes,
    summarize,
)
from flexiprice.pricing.sql.candidates import find_stale
from flexiprice.pricing.sql.change_set import PRICE_CHANGES
from flexiprice.pricing.sql.selection import BatchSelection
from flexiprice.pricing.sql.staged_writes import drop_staging
from flexiprice.pricing.sql.values import LimitMask

_NEW = PRICE_CHANGES.c
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


MAX_CHANGES = 10_000


@dataclass(frozen=True, slots=True)
class PreviewChange:
    """What would happen to a batch's discount.

    Attributes:
        batch_id: the batch; what follows up to `quantity` describes it.
        store: code of the store.
        sku: the product.
        product: its name.
        category: its category.
        lot: tells batches apart.
        expiry_date: the last day of sale.
        days_to_expiry: from the day of the preview.
        quantity: units in stock.
        kind: whether the discount opens, changes or closes.
        close_reason: why it closes; None unless it does.
        price: the price that it gets; None where it closes.
        previous_price: the price that it has; None where it opens.
        base_price: the product's.
        rate: the effective discount rate of `price`; None where it closes.
        rule: name of the rule that decides; None where it closes, or is held though no rule matches.
        limits: what else shaped the price.
    """

    batch_id: int
    store: str
    sku: str
    product: str
    category: str
    lot: str
    expiry_date: date
    days_to_expiry: int
    quantity: int
    kind: DecisionKind
    close_reason: CloseReason | None
    price: Decimal | None
    previous_price: Decimal | None
    base_price: Decimal
    rate: Decimal | None
    rule: str | None
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class CategoryTotals:
    """What would change in one category.

    Attributes:
        category: the category, in the spelling that most products have.
        opened: discounts that open.
        changed: discounts that change.
        closed: discounts that close.
        stock_value_before: price × quantity over the batches that change, at the prices that they have.
        stock_value_after: the same at the prices that they get; what is expired is worth nothing.
    """

    category: str
    opened: int
    changed: int
    closed: int
    stock_value_before: Decimal
    stock_value_after: Decimal


@dataclass(frozen=True, slots=True)
class RecomputePreview:
    """What a recompute would change.

    Attributes:
        summary: the numbers that it would return.
        totals: by category, those in which something changes.
        changes: the steepest price cuts first.
        truncated: whether there are more changes than `changes` has.
    """

    summary: RecomputeSummary
    totals: tuple[CategoryTotals, ...]
    changes: tuple[PreviewChange, ...]
    truncated: bool


async def preview_recompute(
    session: AsyncSession,
    *,
    now: datetime,
    days_threshold: int = DEFAULT_DAYS_THRESHOLD,
    policy: PricingPolicy | None = None,
    on: date | None = None,
    store: str | None = None,
    category: str | None = None,
    limit: int = 100,
) -> RecomputePreview:
    """Computes what `recompute_all_discounts` would change, and writes none of it.

    Args:
        session: a transaction; it sees and keeps out nobody.
        now: the instant whose date each store has.
        days_threshold: as of a recompute.
        policy: the policy instead of the active one. Discounts of which it would change nothing but the
            number of the policy version count as unchanged then.
        on: the date that every store has, instead of that of `now`.
        store: only the store with this code.
        category: only this category, in any spelling.
        limit: how many changes to list; 1 to 10,000.

    Raises:
        InvalidInput: the threshold or the limit is out of bounds.
        NotFound: there is no such store.
    """
    started = perf_counter()
    if not 1 <= limit <= MAX_CHANGES:
        raise InvalidInput(f"must be from 1 to {MAX_CHANGES}", field="limit")
    scope = BatchSelection(
        now=now,
        days_threshold=check_days_threshold(days_threshold),
        on=on,
        store=None if store is None else (await get_store(session, store)).code,
        category_key=None if category is None else category_key(category),
    )
    priced_by = policy or await get_active_rules(session)
    await use_bulk_plans(session)
    due = await find_stale(session, priced_by, scope)
    counts = await stage_price_changes(session, priced_by, due.scope, version_counts=policy is None)
    totals = [CategoryTotals(*row) for row in await total_changes(session)]
    changes = [PreviewChange(*row) for row in await steepest_changes(session, limit=limit)]
    await drop_staging(session)
    return RecomputePreview(
        summary=summarize(due.considered, counts, perf_counter() - started),
        totals=tuple(totals),
        changes=tuple(changes),
        truncated=counts.decisions > len(changes),
    )
