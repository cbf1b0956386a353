"""Previews a recompute by the active policy or another, without writing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from time import perf_counter
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, case, cast, collate, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.batch_identity import BatchIdentity, identity_columns
from flexiprice.catalog.category_spelling import category_spellings
from flexiprice.catalog.store_prices import has_store_prices
from flexiprice.catalog.stores import get_store
from flexiprice.db.planner_settings import use_bulk_plans
from flexiprice.db.tables import Batch, Product, Store
from flexiprice.domain.category import category_key
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.policy import PricingPolicy
from flexiprice.domain.quote import Limit
from flexiprice.errors import InvalidInput
from flexiprice.pricing.policy_versions import get_compiled_policy
from flexiprice.pricing.recompute import (
    DEFAULT_DAYS_THRESHOLD,
    RecomputeSummary,
    check_days_threshold,
    stage_price_changes,
    summarize,
)
from flexiprice.pricing.sql.candidates import find_stale
from flexiprice.pricing.sql.change_set import PRICE_CHANGES
from flexiprice.pricing.sql.compiled_policy import CompiledPolicy
from flexiprice.pricing.sql.selection import BatchSelection
from flexiprice.pricing.sql.staged_writes import drop_staging
from flexiprice.pricing.sql.values import LimitMask, total_worth, worth

_NEW = PRICE_CHANGES.c
_PRICE_BEFORE: ColumnElement[Any] = func.coalesce(_NEW.previous_price, _NEW.base_price)
# An expired batch has no price. A batch without a discount has the base price.
_PRICE_AFTER: ColumnElement[Any] = case(
    (_NEW.close_reason == CloseReason.EXPIRED, 0), else_=func.coalesce(_NEW.price, _NEW.base_price)
)


async def total_changes(session: AsyncSession) -> Sequence[Row[*tuple[Any, ...]]]:
    """Selects category, opened, changed, closed and stock value before and after, by category."""
    number_of = {kind: func.count().filter(_NEW.kind == kind) for kind in DecisionKind}
    named = category_spellings()
    query = (
        select(
            func.min(named.c.category),
            number_of[DecisionKind.OPENED],
            number_of[DecisionKind.CHANGED],
            number_of[DecisionKind.CLOSED],
            total_worth(worth(_PRICE_BEFORE, _NEW.quantity)),
            total_worth(worth(_PRICE_AFTER, _NEW.quantity)),
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
    """Selects up to `limit` changes with their batches, the largest price cuts first."""
    query = (
        select(
            *identity_columns(
                store=Store.code,
                days_to_expiry=_NEW.days_to_expiry,
                expiry_date=_NEW.expiry_date,
                quantity=_NEW.quantity,
            ),
            _NEW.kind,
            _NEW.close_reason,
            _NEW.price,
            _NEW.previous_price,
            _NEW.base_price,
            _NEW.rate,
            # A policy without rules would give this column another type, but a connection prepares the
            # statement once.
            collate(cast(_NEW.rule, Text), "C"),
            func.coalesce(_NEW.limits, 0, type_=LimitMask()),
        )
        .select_from(PRICE_CHANGES)
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
class PreviewChange(BatchIdentity):
    """A change that a recompute would make to a batch's discount; days to expiry are those of the preview.

    Attributes:
        kind: whether the discount opens, changes or closes.
        close_reason: the reason why it closes; None unless it does.
        price: the new price; None where it closes.
        previous_price: the open price; None where it opens.
        base_price: of the product.
        rate: the effective discount rate of `price`; None where it closes.
        rule: name of the deciding rule; None where it closes, or a price is held though no rule matches.
        limits: the limits that changed the outcome.
    """

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
    """The changes in one category.

    Attributes:
        category: the category's display name.
        opened: discounts that open.
        changed: discounts that change.
        closed: discounts that close.
        stock_value_before: price × quantity of the batches that change, at their current prices.
        stock_value_after: the same at their new prices; expired stock has no value.
    """

    category: str
    opened: int
    changed: int
    closed: int
    stock_value_before: Decimal
    stock_value_after: Decimal


@dataclass(frozen=True, slots=True)
class RecomputePreview:
    """The result of a preview.

    Attributes:
        summary: the summary that the recompute would return.
        totals: by category, for categories with changes.
        changes: the largest price cuts first.
        truncated: whether `changes` is incomplete.
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
    """Computes the changes that `recompute_all_discounts` would make, without writing them.

    Base prices are those in force: a price by store that begins with the next recompute does not count.

    Args:
        session: a transaction; it takes no locks that block others.
        now: the instant that decides each store's local date.
        days_threshold: as in `recompute_all_discounts`.
        policy: replaces the active policy. Discounts of which only the policy version would change then
            count as unchanged.
        on: the date in all stores, instead of the local dates at `now`.
        store: only the store with this code.
        category: only this category, in any spelling.
        limit: the maximum number of listed changes, 1 to 10,000.

    Raises:
        InvalidInput: the threshold or the limit is out of range.
        NotFound: the store does not exist.
    """
    started = perf_counter()
    if not 1 <= limit <= MAX_CHANGES:
        raise InvalidInput(f"must be from 1 to {MAX_CHANGES}", field="limit")
    selection = BatchSelection(
        store_prices=await has_store_prices(session) or None,
        now=now,
        days_threshold=check_days_threshold(days_threshold),
        on=on,
        store=None if store is None else (await get_store(session, store)).code,
        category_key=None if category is None else category_key(category),
    )
    compiled = await get_compiled_policy(session) if policy is None else CompiledPolicy.of(policy)
    await use_bulk_plans(session)
    stale = await find_stale(session, compiled, selection)
    counts = await stage_price_changes(session, compiled, stale.selection, version_counts=policy is None)
    totals = [CategoryTotals(*row) for row in await total_changes(session)]
    changes = [PreviewChange(*row) for row in await steepest_changes(session, limit=limit)]
    await drop_staging(session)
    return RecomputePreview(
        summary=summarize(stale.considered, counts, perf_counter() - started),
        totals=tuple(totals),
        changes=tuple(changes),
        truncated=counts.decisions > len(changes),
    )
