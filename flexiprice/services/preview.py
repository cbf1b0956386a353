"""What a recompute would change, by the active policy or another, without writing."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from time import perf_counter

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.changes_table import drop_changes
from flexiprice.db.due_batches import find_due
from flexiprice.db.planner import plan_for_bulk
from flexiprice.db.preview_queries import steepest_changes, total_changes
from flexiprice.db.recompute_scope import Scope
from flexiprice.domain.category import category_key
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.limits import Limit
from flexiprice.domain.policy import PricingPolicy
from flexiprice.errors import InvalidInput
from flexiprice.services.policies import get_active_rules
from flexiprice.services.recompute import (
    DEFAULT_DAYS_THRESHOLD,
    RecomputeSummary,
    check_days_threshold,
    collect_price_changes,
    summarize,
)
from flexiprice.services.stores import get_store

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
    scope = Scope(
        now=now,
        days_threshold=check_days_threshold(days_threshold),
        on=on,
        store=None if store is None else (await get_store(session, store)).code,
        category_key=None if category is None else category_key(category),
    )
    priced_by = policy or await get_active_rules(session)
    await plan_for_bulk(session)
    due = await find_due(session, priced_by, scope)
    counts = await collect_price_changes(session, priced_by, due.scope, version_counts=policy is None)
    totals = [CategoryTotals(*row) for row in await total_changes(session)]
    changes = [PreviewChange(*row) for row in await steepest_changes(session, limit=limit)]
    await drop_changes(session)
    return RecomputePreview(
        summary=summarize(due.considered, counts, perf_counter() - started),
        totals=tuple(totals),
        changes=tuple(changes),
        truncated=counts.decisions > len(changes),
    )
