"""`/admin/discounts`: lists discounts in force and their history, and previews a recompute."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import (
    BatchPath,
    BulkTransaction,
    CategoryFilter,
    ExpiringFilter,
    OpenResources,
    StoreFilter,
    Transaction,
    read_as_of,
)
from api.openapi import problems
from api.paging import BY_INSTANT, BY_RATE, ChangedSince, ChangePage, Cursor, Limit, Page, change_page
from api.route_class import ProblemRoute
from api.schemas.discounts import DecisionOut, DiscountOut, PreviewOut, PreviewRequest
from flexiprice.catalog.stores import require_store_id
from flexiprice.db.clock import database_now
from flexiprice.domain.policy import parse_policy
from flexiprice.pricing import discounts
from flexiprice.pricing.discounts import DiscountOrder
from flexiprice.pricing.preview import preview_recompute

Order = Annotated[DiscountOrder, Query(description="Sort order: by batch, or largest discount first.")]

router = APIRouter(prefix="/discounts", tags=["discounts"], route_class=ProblemRoute)


@router.get("", responses=problems(401, 404, 503))
async def list_discounts(
    *,
    transaction: Transaction,
    store: StoreFilter = None,
    category: CategoryFilter = None,
    expiring_within: ExpiringFilter = None,
    changed_since: ChangedSince = None,
    order: Order = DiscountOrder.BATCH,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> ChangePage[DiscountOut]:
    """Lists the discounts in force, by batch or largest first, without those of expired batches.

    With `changed_since`, closed discounts are not listed; the history of the batch has them.
    """
    async with transaction() as session:
        as_of = await read_as_of(session, cursor)
        found = await discounts.list_open_discounts(
            session,
            now=await database_now(session),
            store=store,
            category=category,
            expiring_within=expiring_within,
            changed_since=changed_since,
            order=order,
            after=BY_RATE.read(cursor),
            limit=limit + 1,
        )
    page = BY_RATE.page(
        found, limit, item=DiscountOut.of, place=lambda discount: (discount.rate, discount.batch_id)
    )
    return change_page(page, as_of)


@router.get("/{batch_id}/history", responses=problems(401, 404, 503))
async def list_discount_history(
    transaction: Transaction, batch_id: BatchPath, cursor: Cursor = None, limit: Limit = 100
) -> Page[DecisionOut]:
    """Lists all decisions on a batch's discount, latest first; also of a deleted batch."""
    async with transaction() as session:
        found = await discounts.list_decisions(
            session, batch_id, after=BY_INSTANT.read(cursor), limit=limit + 1
        )
    return BY_INSTANT.page(
        found,
        limit,
        item=DecisionOut.of,
        place=lambda decision: (decision.decided_at, decision.decision_id),
    )


@router.post("/preview", responses=problems(401, 404, 503))
async def preview_discounts(
    resources: OpenResources, transaction: BulkTransaction, body: PreviewRequest | None = None
) -> PreviewOut:
    """Previews a recompute by the active or a posted policy: discounts to open, change and close.

    Writes nothing.
    """
    wanted = body or PreviewRequest()
    policy = None if wanted.policy is None else parse_policy(wanted.policy)
    async with transaction() as session:
        if wanted.store is not None:
            await require_store_id(session, wanted.store)
        found = await preview_recompute(
            session,
            now=await database_now(session),
            days_threshold=wanted.days_threshold or resources.settings.days_threshold,
            policy=policy,
            on=wanted.on,
            store=wanted.store,
            category=wanted.category,
            limit=wanted.limit,
        )
    return PreviewOut.of(found)
