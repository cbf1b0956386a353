"""Reads discounts in force and the ledger."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, exists, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.batch_identity import BatchIdentity, days_to_expiry, if_dated, select_batches
from flexiprice.catalog.batches import no_batch
from flexiprice.catalog.local_dates import local_dates
from flexiprice.catalog.stores import require_store_id
from flexiprice.db.tables import Batch, Discount, PriceDecision, Product, Store
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.quote import Limit
from flexiprice.pricing.sql.values import limits_of


@dataclass(frozen=True, slots=True)
class OpenDiscount(BatchIdentity):
    """A discount in force, with its batch.

    `quantity` and `days_to_expiry` are those at the instant of reading. Price, rate, rule and limits were
    decided at `changed_at`.
    """

    price: Decimal
    base_price: Decimal
    rate: Decimal
    rule: str | None
    policy_version: int
    opened_at: datetime
    changed_at: datetime
    limits: tuple[Limit, ...]


class DiscountOrder(StrEnum):
    """The order of discounts: by batch id, or by rate, the largest first."""

    BATCH = "batch"
    STEEPEST = "steepest"


@dataclass(frozen=True, slots=True)
class RecordedDecision:
    """A line of the ledger: a change of a batch's discount, with its inputs.

    `days_to_expiry` and `quantity` are those of the decision. `store` and `sku` are None if they no longer
    exist: the ledger outlives them.
    """

    decision_id: int
    batch_id: int
    store: str | None
    sku: str | None
    decided_at: datetime
    kind: DecisionKind
    close_reason: CloseReason | None
    price: Decimal | None
    previous_price: Decimal | None
    base_price: Decimal
    unit_cost: Decimal | None
    rate: Decimal | None
    rule: str | None
    policy_version: int
    expiry_date: date | None
    days_to_expiry: int | None
    quantity: Decimal
    limits: tuple[Limit, ...]


_IN_FORCE = (
    Discount.price,
    Discount.base_price,
    Discount.rate,
    Discount.rule,
    Discount.policy_version,
    Discount.opened_at,
    Discount.changed_at,
    limits_of(Discount.limits),
)
_LEDGER = (
    PriceDecision.id,
    PriceDecision.batch_id,
    Store.code,
    Product.sku,
    PriceDecision.decided_at,
    PriceDecision.kind,
    PriceDecision.close_reason,
    PriceDecision.price,
    PriceDecision.previous_price,
    PriceDecision.base_price,
    PriceDecision.unit_cost,
    PriceDecision.rate,
    PriceDecision.rule,
    PriceDecision.policy_version,
    if_dated(PriceDecision.expiry_date, PriceDecision.expiry_date),
    if_dated(PriceDecision.expiry_date, PriceDecision.days_to_expiry),
    PriceDecision.quantity,
    limits_of(PriceDecision.limits),
)


async def list_open_discounts(
    session: AsyncSession,
    *,
    now: datetime,
    store: str | None = None,
    category: str | None = None,
    expiring_within: int | None = None,
    changed_since: datetime | None = None,
    order: DiscountOrder = DiscountOrder.BATCH,
    after: tuple[Decimal, int] | None = None,
    limit: int = 100,
) -> tuple[OpenDiscount, ...]:
    """Lists discounts in force at `now`, without those of expired batches.

    Args:
        session: in a transaction.
        now: the instant that decides each store's local date.
        store: only discounts in the store with this code.
        category: only discounts of this category, in any spelling.
        expiring_within: the maximum of days to expiry.
        changed_since: only discounts that changed at this instant or later, or whose batch or product did.
        order: the order.
        after: rate and batch id of the last discount of the previous page.
        limit: the maximum number.

    Raises:
        NotFound: the store does not exist.
    """
    stores = local_dates(now)
    if store is not None:
        await require_store_id(session, store)
    query = (
        select_batches(stores, *_IN_FORCE, store=store, category=category, expiring_within=expiring_within)
        .join(Discount, Discount.batch_id == Batch.id)
        .where(days_to_expiry(stores) >= 0)
        .limit(limit)
    )
    if changed_since is not None:
        changed = func.greatest(Discount.updated_at, Batch.updated_at, Product.updated_at)
        query = query.where(changed >= changed_since)
    if order is DiscountOrder.STEEPEST:
        query = query.order_by(Discount.rate.desc(), Discount.batch_id)
        if after is not None:
            rate, batch_id = after
            same_rate = (Discount.rate == rate) & (Discount.batch_id > batch_id)
            query = query.where((Discount.rate < rate) | same_rate)
    else:
        query = query.order_by(Discount.batch_id)
        if after is not None:
            query = query.where(Discount.batch_id > after[1])
    return tuple(OpenDiscount(*row) for row in await session.execute(query))


async def list_decisions(
    session: AsyncSession,
    batch_id: int,
    *,
    after: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> tuple[RecordedDecision, ...]:
    """Lists the ledger lines of a batch, the latest first, of deleted batches too.

    Args:
        session: in a transaction.
        batch_id: the batch.
        after: `decided_at` and id of the last line of the previous page.
        limit: the maximum number.

    Raises:
        NotFound: the batch does not exist, and has no ledger lines.
    """
    query: Select[*tuple[Any, ...]] = (
        select(*_LEDGER)
        .outerjoin(Store, Store.id == PriceDecision.store_id)
        .outerjoin(Product, Product.id == PriceDecision.product_id)
        .where(PriceDecision.batch_id == batch_id)
        .order_by(PriceDecision.decided_at.desc(), PriceDecision.id.desc())
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(PriceDecision.decided_at, PriceDecision.id) < after)
    found = tuple(RecordedDecision(*row) for row in await session.execute(query))
    if not found and not await _is_known(session, batch_id):
        raise no_batch(batch_id)
    return found


async def _is_known(session: AsyncSession, batch_id: int) -> bool:
    exists_now = exists().where(Batch.id == batch_id)
    decided_once = exists().where(PriceDecision.batch_id == batch_id)
    return bool(await session.scalar(select(exists_now | decided_once)))
