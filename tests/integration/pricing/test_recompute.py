"""Recompute opens, changes and closes discounts, writes the ledger, and runs one at a time."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.db.tables import Batch, Discount, PriceDecision, Product
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.errors import DatabaseUnavailable, InvalidInput
from flexiprice.pricing.policy_versions import roll_back_policy
from flexiprice.pricing.recompute import (
    RecomputeSummary,
    close_discounts_of_deleted,
    recompute_all_discounts,
    recompute_batches,
)
from tests.support.builders import (
    DAY,
    NOON,
    a_batch,
    a_product,
    a_store,
    an_active_policy,
    ledger,
    open_price,
)

TOMORROW = NOON + timedelta(days=1)
OVERSTOCK: dict[str, object] = {
    "rules": [
        {"name": "overstock", "days_to_expiry": {"max": 5}, "quantity": {"min": 50}, "discount": "0.40"}
    ]
}


def counts(summary: RecomputeSummary) -> tuple[int, int, int, int]:
    return summary.opened, summary.changed, summary.closed, summary.unchanged


async def test_a_discount_opens_with_its_why_in_the_ledger(session: AsyncSession) -> None:
    version = await an_active_policy(session)
    batch = await a_batch(session)
    assert counts(await recompute_all_discounts(session, now=NOON)) == (1, 0, 0, 0)
    discount = await session.get_one(Discount, batch)
    assert (discount.price, discount.rate, discount.rule) == (Decimal("2.00"), Decimal("0.5000"), "last day")
    assert (discount.opened_at, discount.changed_at) == (NOON, NOON)
    (line,) = await ledger(session, batch)
    assert (line.kind, line.price, line.previous_price) == (DecisionKind.OPENED, Decimal("2.00"), None)
    assert (line.policy_version, line.days_to_expiry, line.quantity) == (version, 0, 10)


async def test_a_second_recompute_writes_nothing_at_all(session: AsyncSession) -> None:
    await an_active_policy(session)
    for _ in range(3):
        await a_batch(session)
    await recompute_all_discounts(session, now=NOON)
    before = (await session.execute(text("SELECT batch_id, ctid::text FROM discounts ORDER BY 1"))).all()
    lines = await session.scalar(select(func.count()).select_from(PriceDecision))
    assert counts(await recompute_all_discounts(session, now=NOON + timedelta(hours=1))) == (0, 0, 0, 3)
    after = (await session.execute(text("SELECT batch_id, ctid::text FROM discounts ORDER BY 1"))).all()
    assert before == after, "a row that is written moves, even where nothing in it changes"
    assert await session.scalar(select(func.count()).select_from(PriceDecision)) == lines


async def test_another_day_brings_another_price_and_a_line_with_the_one_before(session: AsyncSession) -> None:
    rules = [
        {"name": "one day left", "days_to_expiry": {"max": 1}, "discount": "0.25"},
        {"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.50"},
    ]
    await an_active_policy(session, {"rules": rules})
    batch = await a_batch(session, expiry_date=TOMORROW.date())
    await recompute_all_discounts(session, now=NOON)
    assert counts(await recompute_all_discounts(session, now=TOMORROW)) == (0, 1, 0, 0)
    opened, changed = await ledger(session, batch)
    assert (opened.price, opened.rule) == (Decimal("3.00"), "one day left")
    assert (changed.kind, changed.previous_price, changed.price) == (
        DecisionKind.CHANGED,
        Decimal("3.00"),
        Decimal("2.00"),
    )
    discount = await session.get_one(Discount, batch, populate_existing=True)
    assert (discount.opened_at, discount.changed_at) == (NOON, TOMORROW)


async def test_an_expired_batch_is_closed_as_expired(session: AsyncSession) -> None:
    await an_active_policy(session)
    batch = await a_batch(session)
    await recompute_all_discounts(session, now=NOON)
    assert counts(await recompute_all_discounts(session, now=TOMORROW)) == (0, 0, 1, 0)
    line = (await ledger(session, batch))[-1]
    assert (line.kind, line.close_reason, line.price) == (DecisionKind.CLOSED, CloseReason.EXPIRED, None)
    assert line.previous_price == Decimal("2.00")
    assert await open_price(session, batch) is None


async def test_a_sold_out_batch_is_closed_as_sold_out(session: AsyncSession) -> None:
    await an_active_policy(session)
    batch = await a_batch(session)
    await recompute_all_discounts(session, now=NOON)
    await session.execute(update(Batch).values(quantity=0))
    assert counts(await recompute_all_discounts(session, now=NOON)) == (0, 0, 1, 0)
    assert (await ledger(session, batch))[-1].close_reason == CloseReason.SOLD_OUT


async def test_a_policy_without_a_discount_closes_what_another_opened(session: AsyncSession) -> None:
    await an_active_policy(session)
    batch = await a_batch(session)
    await recompute_all_discounts(session, now=NOON)
    await an_active_policy(session, {"rules": []})
    assert counts(await recompute_all_discounts(session, now=NOON)) == (0, 0, 1, 0)
    assert (await ledger(session, batch))[-1].close_reason == CloseReason.NO_DISCOUNT


async def test_a_deleted_batchs_discount_is_closed_as_deleted(session: AsyncSession) -> None:
    await an_active_policy(session)
    batch, other = await a_batch(session), await a_batch(session)
    await recompute_all_discounts(session, now=NOON)
    assert await close_discounts_of_deleted(session, [batch], NOON) == 1
    await session.execute(delete(Batch).where(Batch.id == batch))
    assert (await ledger(session, batch))[-1].close_reason == CloseReason.DELETED
    assert await open_price(session, other) == Decimal("2.00")


async def test_an_overstock_that_sells_down_does_not_jump_back_up(session: AsyncSession) -> None:
    await an_active_policy(session, OVERSTOCK)
    batch = await a_batch(session, quantity=60)
    await recompute_all_discounts(session, now=NOON)
    await session.execute(update(Batch).values(quantity=30))
    assert counts(await recompute_all_discounts(session, now=NOON)) == (0, 1, 0, 0)
    assert await open_price(session, batch) == Decimal("2.40")
    assert (await ledger(session, batch))[-1].rule is None, "no rule asks for it any more: it is held"
    assert counts(await recompute_all_discounts(session, now=NOON)) == (0, 0, 0, 1)


async def test_a_batch_that_reopens_starts_afresh(session: AsyncSession) -> None:
    await an_active_policy(session)
    batch = await a_batch(session)
    await recompute_all_discounts(session, now=NOON)
    for quantity in (0, 5):
        await session.execute(update(Batch).values(quantity=quantity))
        await recompute_all_discounts(session, now=NOON + timedelta(hours=1))
    kinds = [line.kind for line in await ledger(session, batch)]
    assert kinds == [DecisionKind.OPENED, DecisionKind.CLOSED, DecisionKind.OPENED]


async def test_another_cost_is_written_down_though_the_price_stays(session: AsyncSession) -> None:
    await an_active_policy(session)
    batch = await a_batch(session, await a_product(session, unit_cost="1.00"))
    await recompute_all_discounts(session, now=NOON)
    await session.execute(update(Product).values(unit_cost=Decimal("1.10")))
    assert counts(await recompute_all_discounts(session, now=NOON)) == (0, 1, 0, 0)
    line = (await ledger(session, batch))[-1]
    assert (line.price, line.previous_price, line.unit_cost) == (
        Decimal("2.00"),
        Decimal("2.00"),
        Decimal("1.10"),
    )


async def test_days_and_quantity_alone_never_cause_a_write(session: AsyncSession) -> None:
    rule = {"name": "soon", "days_to_expiry": {"max": 9}, "discount": "0.30"}
    await an_active_policy(session, {"rules": [rule]})
    await a_batch(session, expiry_date=DAY + timedelta(days=5))
    await recompute_all_discounts(session, now=NOON)
    await session.execute(update(Batch).values(quantity=3))
    assert counts(await recompute_all_discounts(session, now=TOMORROW)) == (0, 0, 0, 1)


async def test_another_policy_version_is_a_change_and_going_back_is_one_too(session: AsyncSession) -> None:
    await an_active_policy(session)
    batch = await a_batch(session)
    await recompute_all_discounts(session, now=NOON)
    await an_active_policy(session)
    assert counts(await recompute_all_discounts(session, now=NOON)) == (0, 1, 0, 0)
    await roll_back_policy(session, now=TOMORROW)
    assert counts(await recompute_all_discounts(session, now=NOON)) == (0, 1, 0, 0)
    assert [line.price for line in await ledger(session, batch)] == [Decimal("2.00")] * 3


async def test_the_threshold_limits_what_opens_and_nothing_else(session: AsyncSession) -> None:
    rule = {"name": "soon", "days_to_expiry": {"max": 20}, "discount": "0.30"}
    await an_active_policy(session, {"rules": [rule]})
    batch = await a_batch(session, expiry_date=DAY + timedelta(days=10))
    assert counts(await recompute_all_discounts(session, now=NOON, days_threshold=9)) == (0, 0, 0, 0)
    assert counts(await recompute_all_discounts(session, now=NOON, days_threshold=10)) == (1, 0, 0, 0)
    await session.execute(update(Product).values(base_price=Decimal("5.00")))
    assert counts(await recompute_all_discounts(session, now=NOON, days_threshold=1)) == (0, 1, 0, 0)
    assert await open_price(session, batch) == Decimal("3.50")


@pytest.mark.parametrize("days", [0, 366, -1])
async def test_a_threshold_out_of_bounds_is_refused_by_name(session: AsyncSession, days: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        await recompute_all_discounts(session, now=NOON, days_threshold=days)
    assert refused.value.details["field"] == "days_threshold"


async def test_each_store_has_its_own_today(session: AsyncSession) -> None:
    await an_active_policy(session)
    await a_store(session, "auckland", "Pacific/Auckland")
    product = await a_product(session)
    here = await a_batch(session, product, expiry_date=DAY)
    there = await a_batch(session, product, expiry_date=DAY, store="auckland")
    there_tomorrow = await a_batch(session, product, expiry_date=TOMORROW.date(), store="auckland")
    await recompute_all_discounts(session, now=datetime(2026, 3, 10, 12, tzinfo=UTC))
    assert await open_price(session, here) == Decimal("2.00")
    assert await open_price(session, there) is None, "at noon UTC the 10th is over in Auckland"
    assert await open_price(session, there_tomorrow) == Decimal("2.00")


async def test_single_batches_are_priced_without_the_others(session: AsyncSession) -> None:
    await an_active_policy(session)
    batch, other = await a_batch(session), await a_batch(session)
    summary = await recompute_batches(session, now=NOON, batch_ids=[batch, 2**62])
    assert (summary.considered, summary.opened) == (1, 1)
    assert await open_price(session, other) is None


async def test_batches_far_from_expiry_are_not_considered(session: AsyncSession) -> None:
    await an_active_policy(session)
    await a_batch(session, expiry_date=date(2027, 3, 10))
    await a_batch(session, expiry_date=DAY + timedelta(days=30))
    await a_batch(session, quantity=0)
    assert (await recompute_all_discounts(session, now=NOON)).considered == 1


async def _shop(engine: AsyncEngine, batches: int) -> async_sessionmaker[AsyncSession]:
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with sessions.begin() as session:
        await an_active_policy(session)
        product = await a_product(session)
        for _ in range(batches):
            await a_batch(session, product)
    return sessions


async def test_second_of_two_simultaneous_recomputes_waits_and_changes_nothing(engine: AsyncEngine) -> None:
    sessions = await _shop(engine, 5)

    async def recompute() -> RecomputeSummary:
        async with sessions.begin() as session:
            return await recompute_all_discounts(session, now=NOON)

    both = sorted([counts(summary) for summary in await asyncio.gather(recompute(), recompute())])
    assert both == [(0, 0, 0, 5), (5, 0, 0, 0)]
    async with sessions.begin() as session:
        assert await session.scalar(select(func.count()).select_from(PriceDecision)) == 5


async def test_killed_recompute_leaves_nothing_half_done_and_no_lock(engine: AsyncEngine) -> None:
    sessions = await _shop(engine, 5)
    killed = sessions()
    await killed.begin()
    await recompute_all_discounts(killed, now=NOON)
    pid = await killed.scalar(select(func.pg_backend_pid()))
    async with sessions.begin() as session:
        await session.execute(select(func.pg_terminate_backend(pid, 5000)))
        assert await session.scalar(select(func.count()).select_from(Discount)) == 0
        assert counts(await recompute_all_discounts(session, now=NOON)) == (5, 0, 0, 0)
    with pytest.raises(DatabaseUnavailable):
        await killed.commit()
    await killed.close()
