"""The original's way, kept for comparison: through the ORM, a SELECT and a write for each batch."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.tables import Batch, Discount, Product, Store
from flexiprice.domain.policy import PricingPolicy
from flexiprice.domain.quote import CurrentDiscount, PricedBatch, Quote, limits_to_mask, quote
from flexiprice.pricing.policy_versions import get_active_policy
from tests.bench.comparison import Comparison, timed
from tests.bench.shop import Shop


async def recompute_row_by_row(session: AsyncSession, *, now: datetime) -> int:
    """Recomputes open discounts one by one; returns how many changed."""
    policy = (await get_active_policy(session)).policy
    changed = 0
    for batch_id in await session.scalars(select(Discount.batch_id)):
        query = (
            select(Batch, Product, Store, Discount)
            .join(Product, Product.id == Batch.product_id)
            .join(Store, Store.id == Batch.store_id)
            .join(Discount, Discount.batch_id == Batch.id)
            .where(Batch.id == batch_id)
        )
        batch, product, store, discount = (await session.execute(query)).one()
        changed += _update(batch, product, store, discount, policy, now)
        await session.flush()
        session.expunge_all()
    return changed


def _update(
    batch: Batch, product: Product, store: Store, discount: Discount, policy: PricingPolicy, now: datetime
) -> bool:
    current = CurrentDiscount(
        discount.price,
        discount.base_price,
        discount.unit_cost,
        discount.expiry_date,
        discount.policy_version,
    )
    priced = PricedBatch(
        product.category_key,
        product.base_price,
        product.unit_cost,
        batch.quantity,
        batch.expiry_date,
        product.unit,
    )
    on = now.astimezone(ZoneInfo(store.time_zone)).date()
    quoted = quote(priced, policy, on=on, current=current)
    in_force = Quote(discount.price, discount.rate, discount.rule, ())
    if quoted is None or (
        replace(quoted, limits=()) == in_force and limits_to_mask(quoted.limits) == discount.limits
    ):
        return False
    discount.price, discount.rate, discount.rule = quoted.price, quoted.rate, quoted.rule
    discount.limits, discount.changed_at = limits_to_mask(quoted.limits), now
    return True


async def against_row_by_row(shop: Shop, *, rounds: int) -> Comparison:
    """Nothing has changed: how much longer the original's way takes to find that out."""

    async def row_by_row() -> None:
        async with shop.sessions.begin() as session:
            await recompute_row_by_row(session, now=shop.now)

    async def floor() -> float:
        return await timed(row_by_row())

    async def ours() -> float:
        return await timed(shop.recompute())

    compared = Comparison("nothing changed, against the ORM", shop.batches, 1 / 100)
    await compared.measure(rounds, ours=ours, floor=floor)
    compared.note = f"{1 / compared.ratio:.0f} times as fast"
    return compared
