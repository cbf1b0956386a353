"""A preview shows the changes of a recompute and writes nothing."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.tables import Discount, PriceDecision
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.domain.policy import parse_policy
from flexiprice.domain.quantity import Unit
from flexiprice.domain.quote import Limit
from flexiprice.errors import InvalidInput, NotFound
from flexiprice.pricing.preview import CategoryTotals, PreviewChange, preview_recompute
from flexiprice.pricing.recompute import recompute_all_discounts
from tests.support.builders import DAY, NOON, a_batch, a_product, a_store, an_active_policy

ONE_DAY = timedelta(days=1)
POLICY: dict[str, object] = {
    "floor_fraction": "0.20",
    "rules": [
        {"name": "two days left", "days_to_expiry": {"max": 2}, "discount": "0.25"},
        {"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.50"},
        {"name": "overstock", "days_to_expiry": {"max": 3}, "quantity": {"min": 50}, "discount": "0.40"},
    ],
}


@pytest.fixture(autouse=True)
async def version(session: AsyncSession) -> int:
    return await an_active_policy(session, POLICY)


async def written(session: AsyncSession) -> tuple[int | None, int | None]:
    return tuple(
        [
            await session.scalar(select(func.count()).select_from(entity))
            for entity in (Discount, PriceDecision)
        ]
    )


async def test_preview_equals_the_recompute_that_follows_and_writes_nothing(session: AsyncSession) -> None:
    for days in (0, 1, 2, 9):
        await a_batch(session, expiry_date=DAY + days * ONE_DAY)
    await recompute_all_discounts(session, now=NOON)
    before = await written(session)
    tomorrow = NOON + ONE_DAY
    promised = (await preview_recompute(session, now=tomorrow)).summary
    assert await written(session) == before
    done = await recompute_all_discounts(session, now=tomorrow)
    assert replace(promised, duration_seconds=0) == replace(done, duration_seconds=0)
    assert (done.opened, done.changed, done.closed, done.unchanged) == (0, 1, 1, 2)


async def test_preview_has_all_facts_of_a_change(session: AsyncSession) -> None:
    product = await a_product(session, base_price="3.99", sku="BREAD", category="Bakery")
    batch = await a_batch(session, product, expiry_date=DAY + 2 * ONE_DAY)
    (change,) = (await preview_recompute(session, now=NOON)).changes
    assert change == PreviewChange(
        batch_id=batch,
        store="main",
        sku="BREAD",
        product="product BREAD",
        category="Bakery",
        lot=change.lot,
        expiry_date=DAY + 2 * ONE_DAY,
        days_to_expiry=2,
        quantity=Decimal(10),
        unit=Unit.EACH,
        kind=DecisionKind.OPENED,
        close_reason=None,
        price=Decimal("2.99"),
        previous_price=None,
        base_price=Decimal("3.99"),
        rate=Decimal("0.2506"),
        rule="two days left",
        limits=(Limit.ROUNDING,),
    )


async def test_the_steepest_cuts_come_first_and_the_list_is_cut_where_asked(session: AsyncSession) -> None:
    batches = {days: await a_batch(session, expiry_date=DAY + days * ONE_DAY) for days in (2, 0)}
    overstock = await a_batch(session, expiry_date=DAY + 3 * ONE_DAY, quantity=50)
    found = await preview_recompute(session, now=NOON)
    assert [change.batch_id for change in found.changes] == [batches[0], overstock, batches[2]]
    assert not found.truncated
    cut = await preview_recompute(session, now=NOON, limit=1)
    assert [change.batch_id for change in cut.changes] == [batches[0]]
    assert cut.truncated
    assert cut.summary.opened == 3


async def test_a_falling_price_is_measured_against_the_price_before_it(session: AsyncSession) -> None:
    was_open = await a_batch(session, expiry_date=DAY + 1 * ONE_DAY)
    await recompute_all_discounts(session, now=NOON)
    opens = await a_batch(session, expiry_date=DAY + 2 * ONE_DAY)
    found = await preview_recompute(session, now=NOON + ONE_DAY)
    assert [(change.batch_id, change.previous_price) for change in found.changes] == [
        (was_open, Decimal("3.00")),
        (opens, None),
    ]


async def test_totals_value_the_stock_before_and_after_by_category(session: AsyncSession) -> None:
    bread = await a_product(session, base_price="4.00", category="Bakery")
    roll = await a_product(session, base_price="1.00", category="BAKERY")
    milk = await a_product(session, base_price="2.00", category="Dairy")
    await a_batch(session, bread, expiry_date=DAY + 1 * ONE_DAY, quantity=10)
    await a_batch(session, milk, expiry_date=DAY + 0 * ONE_DAY, quantity=3)
    await recompute_all_discounts(session, now=NOON)
    await a_batch(session, roll, expiry_date=DAY + 1 * ONE_DAY, quantity=20)
    found = await preview_recompute(session, now=NOON + ONE_DAY)
    assert found.totals == (
        CategoryTotals("BAKERY", 1, 1, 0, Decimal("50.00"), Decimal("30.00")),
        CategoryTotals("Dairy", 0, 0, 1, Decimal("3.00"), Decimal(0)),
    )
    assert [change.close_reason for change in found.changes if change.kind is DecisionKind.CLOSED] == [
        CloseReason.EXPIRED
    ]


async def test_a_day_can_be_asked_for_in_all_stores(session: AsyncSession) -> None:
    await a_store(session, "auckland", "Pacific/Auckland")
    product = await a_product(session)
    for store in ("main", "auckland"):
        await a_batch(session, product, expiry_date=DAY + 40 * ONE_DAY, store=store)
    found = await preview_recompute(session, now=NOON, on=DAY + 40 * ONE_DAY)
    assert [change.days_to_expiry for change in found.changes] == [0, 0]
    assert (await preview_recompute(session, now=NOON)).changes == ()


async def test_preview_is_narrowed_by_store_and_category(session: AsyncSession) -> None:
    await a_store(session, "second", "UTC")
    bread = await a_product(session, category="Bakery")
    milk = await a_product(session, category="Dairy")
    wanted = await a_batch(session, bread, store="second")
    await a_batch(session, bread)
    await a_batch(session, milk, store="second")
    found = await preview_recompute(session, now=NOON, store="second", category=" bakery")
    assert [change.batch_id for change in found.changes] == [wanted]
    assert found.summary.considered == 1


async def test_preview_of_another_policy_shows_only_the_differences(session: AsyncSession) -> None:
    await a_batch(session, expiry_date=DAY + 2 * ONE_DAY)
    last_day = await a_batch(session, expiry_date=DAY + 0 * ONE_DAY)
    await recompute_all_discounts(session, now=NOON)
    same = await preview_recompute(session, now=NOON, policy=parse_policy(POLICY))
    assert (same.summary.unchanged, same.changes, same.totals) == (2, (), ())
    harder = parse_policy(json.loads(json.dumps(POLICY).replace("0.50", "0.60")))
    (change,) = (await preview_recompute(session, now=NOON, policy=harder)).changes
    assert (change.batch_id, change.price, change.previous_price) == (
        last_day,
        Decimal("1.60"),
        Decimal("2.00"),
    )


async def test_preview_neither_waits_for_a_recompute_nor_blocks_one(session: AsyncSession) -> None:
    await a_batch(session)
    await preview_recompute(session, now=NOON)
    locks = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'"
    taken = await session.scalar(text(locks))
    await preview_recompute(session, now=NOON + timedelta(hours=1))
    assert await session.scalar(text(locks)) == taken


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 10_001}, {"days_threshold": 0}])
async def test_arguments_out_of_bounds_are_refused(session: AsyncSession, wrong: dict) -> None:
    with pytest.raises(InvalidInput):
        await preview_recompute(session, now=NOON, **wrong)


async def test_an_unknown_store_is_named(session: AsyncSession) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await preview_recompute(session, now=NOON, store="nowhere")
