"""Cleanup closes expired discounts, makes partitions ahead, and drops old ones."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.base_price_tables import BasePrice
from flexiprice.db.tables import Batch, Product
from flexiprice.domain.decision import CloseReason
from flexiprice.domain.prior_price import Reduction
from flexiprice.pricing.cleanup import CleanupSummary, cleanup_expired_discounts
from flexiprice.pricing.current_prices import get_price
from flexiprice.pricing.recompute import recompute_all_discounts
from tests.support.builders import (
    NOON,
    a_batch,
    a_product,
    a_store,
    an_active_policy,
    date_base_price,
    ledger,
    open_price,
)

YEARS = 10 * 365


async def clean_up(session: AsyncSession, now: datetime, retention_days: int = YEARS) -> CleanupSummary:
    return await cleanup_expired_discounts(session, now=now, history_retention_days=retention_days)


async def test_expired_and_sold_out_discounts_are_closed_each_with_its_reason(session: AsyncSession) -> None:
    await an_active_policy(session)
    expired, sold_out, good = [await a_batch(session) for _ in range(3)]
    await recompute_all_discounts(session, now=NOON)
    later = NOON + timedelta(days=1)
    await session.execute(update(Batch).where(Batch.id == good).values(expiry_date=later.date()))
    await session.execute(
        update(Batch).where(Batch.id == sold_out).values(quantity=0, expiry_date=later.date())
    )
    summary = await clean_up(session, later)
    assert (summary.closed, summary.expired, summary.sold_out) == (2, 1, 1)
    assert (await ledger(session, expired))[-1].close_reason == CloseReason.EXPIRED
    assert (await ledger(session, sold_out))[-1].close_reason == CloseReason.SOLD_OUT
    assert await open_price(session, good) == Decimal("2.00")


async def test_cleanup_closes_expired_discounts_by_each_stores_date(session: AsyncSession) -> None:
    await an_active_policy(session)
    await a_store(session, "honolulu", "Pacific/Honolulu")
    product = await a_product(session)
    here, there = await a_batch(session, product), await a_batch(session, product, store="honolulu")
    await recompute_all_discounts(session, now=NOON)
    at_two = datetime(2026, 3, 11, 2, tzinfo=UTC)
    assert (await clean_up(session, at_two)).closed == 1
    assert await open_price(session, here) is None
    assert await open_price(session, there) is not None, "in Honolulu it is still the 10th"


async def test_a_second_cleanup_closes_nothing(session: AsyncSession) -> None:
    await an_active_policy(session)
    await a_batch(session)
    await recompute_all_discounts(session, now=NOON)
    assert (await clean_up(session, NOON + timedelta(days=1))).closed == 1
    assert (await clean_up(session, NOON + timedelta(days=1))).closed == 0


async def test_partitions_are_made_ahead_over_the_end_of_a_year(session: AsyncSession) -> None:
    summary = await clean_up(session, datetime(2031, 12, 31, 23, tzinfo=UTC))
    assert summary.partitions_created == 12, "of ledger, history, events, movements: December to February"
    names = await session.scalars(
        text("SELECT relname FROM pg_class WHERE relname ~ '^price_history_203._..$' ORDER BY 1")
    )
    assert list(names) == ["price_history_2031_12", "price_history_2032_01", "price_history_2032_02"]


async def test_history_past_its_time_is_dropped_by_the_month_and_the_ledger_is_kept(
    session: AsyncSession,
) -> None:
    await clean_up(session, datetime(2030, 1, 15, tzinfo=UTC))
    summary = await clean_up(session, datetime(2030, 6, 1, tzinfo=UTC), retention_days=31)
    kept = await session.scalars(
        text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '_2030_0[1-5]$'")
    )
    names = set(kept)
    assert summary.partitions_dropped >= 3
    assert "price_history_2030_03" not in names
    assert {"price_decisions_2030_01", "price_decisions_2030_02", "price_decisions_2030_03"} <= names


async def base_prices(session: AsyncSession, product: int) -> list[Decimal | None]:
    rows = select(BasePrice.price).where(BasePrice.product_id == product).order_by(BasePrice.valid_from)
    return list(await session.scalars(rows))


async def test_base_prices_that_ended_before_the_retention_are_deleted(session: AsyncSession) -> None:
    product = await a_product(session, base_price="1.00")
    await date_base_price(session, product, NOON - timedelta(days=400))
    for price, days in (("2.00", 100), ("3.00", 90)):
        await session.execute(update(Product).where(Product.id == product).values(base_price=price))
        await date_base_price(session, product, NOON - timedelta(days=days))
    assert (await clean_up(session, NOON, retention_days=99)).base_prices_dropped == 1
    assert await base_prices(session, product) == [Decimal("2.00"), Decimal("3.00")]
    assert (await clean_up(session, NOON, retention_days=31)).base_prices_dropped == 1
    assert await base_prices(session, product) == [Decimal("3.00")], "what is in force is kept for good"


async def test_base_prices_before_an_open_discount_are_kept_however_long_ago(session: AsyncSession) -> None:
    await an_active_policy(session, {"rules": [{"name": "any", "discount": "0.50"}]})
    product = await a_product(session, base_price="2.00")
    await date_base_price(session, product, NOON - timedelta(days=400))
    batch = await a_batch(session, product, expiry_date=NOON.date() + timedelta(days=20))
    opened_at = NOON - timedelta(days=60)
    for price, days in (("4.00", 80), ("5.00", 60)):
        await session.execute(update(Product).where(Product.id == product).values(base_price=price))
        await date_base_price(session, product, NOON - timedelta(days=days))
    await recompute_all_discounts(session, now=opened_at, days_threshold=365)
    assert (await clean_up(session, NOON, retention_days=31)).base_prices_dropped == 0
    price = await get_price(session, sku=await sku_of(session, product), store="main", now=NOON)
    assert price.reduction == Reduction(opened_at, Decimal("2.00"))

    await session.execute(update(Batch).where(Batch.id == batch).values(quantity=0))
    await recompute_all_discounts(session, now=NOON, days_threshold=365)
    assert (await clean_up(session, NOON, retention_days=31)).base_prices_dropped == 2
    assert await base_prices(session, product) == [Decimal("5.00")]


async def test_history_of_a_deleted_product_is_deleted_after_the_retention(session: AsyncSession) -> None:
    product = await a_product(session)
    await date_base_price(session, product, NOON - timedelta(days=400))
    await session.execute(delete(Product).where(Product.id == product))
    await date_base_price(session, product, NOON - timedelta(days=100))
    assert (await clean_up(session, NOON, retention_days=101)).base_prices_dropped == 0
    assert (await clean_up(session, NOON, retention_days=99)).base_prices_dropped == 2


async def sku_of(session: AsyncSession, product: int) -> str:
    return (await session.execute(select(Product.sku).where(Product.id == product))).scalar_one()
