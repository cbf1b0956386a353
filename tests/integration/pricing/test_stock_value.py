"""Reduced and expiring stock over all batches: one query agrees with a count by hand."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.errors import InvalidInput, NotFound
from flexiprice.pricing.preview import preview_recompute
from flexiprice.pricing.recompute import recompute_all_discounts
from flexiprice.pricing.stock_value import (
    ExpiringStock,
    ReducedStock,
    ValueAtRisk,
    count_discounts,
    list_expiring_stock,
    list_reduced_stock,
    value_at_risk,
)
from tests.support.builders import DAY, NOON, a_batch, a_product, a_store, an_active_policy
from tests.support.statements import statements_of

_ONE, _TWO = timedelta(days=1), timedelta(days=2)


@pytest.fixture
async def shop(session: AsyncSession) -> AsyncSession:
    """Two stores, two categories; half off on the last day of sale."""
    await an_active_policy(session)
    await a_store(session, "east", "UTC")
    bread = await a_product(session, base_price="4.00", category="Bakery")
    roll = await a_product(session, base_price="1.00", category="BAKERY")
    milk = await a_product(session, base_price="2.00", category="Dairy")
    await a_batch(session, bread, quantity=10)
    await a_batch(session, roll, quantity=5)
    await a_batch(session, bread, quantity=3, expiry_date=DAY + _ONE)
    await a_batch(session, milk, quantity=7, expiry_date=DAY + _TWO, store="east")
    await a_batch(session, milk, quantity=1, store="east")
    # None of these is for sale, or expires soon.
    await a_batch(session, milk, quantity=0)
    await a_batch(session, milk, quantity=9, expiry_date=DAY - _ONE)
    await a_batch(session, milk, quantity=9, expiry_date=DAY + 40 * _ONE)
    await recompute_all_discounts(session, now=NOON, days_threshold=30)
    return session


async def test_discounts_in_force_are_summed_up_by_store_and_category(shop: AsyncSession) -> None:
    async with statements_of(shop) as statements:
        reduced = await list_reduced_stock(shop, now=NOON)
    assert len(statements) == 1
    assert reduced == (
        ReducedStock("main", reduced[0].category, 2, 15, Decimal("45.00"), Decimal("22.50")),
        ReducedStock("east", "Dairy", 1, 1, Decimal("2.00"), Decimal("1.00")),
    )
    # As many products say the one as the other.
    assert reduced[0].category == "BAKERY"


async def test_stock_is_summed_up_by_days_to_expiry_for_all_and_by_store_and_by_category(
    shop: AsyncSession,
) -> None:
    async with statements_of(shop) as statements:
        stock = await list_expiring_stock(shop, now=NOON, horizon=30)
    assert len(statements) == 1
    of_all = [each for each in stock if each.store is None and each.category is None]
    assert of_all == [
        ExpiringStock(None, None, 0, 3, 3, 16, Decimal("47.00"), Decimal("23.50")),
        ExpiringStock(None, None, 1, 1, 0, 3, Decimal("12.00"), Decimal("12.00")),
        ExpiringStock(None, None, 2, 1, 0, 7, Decimal("14.00"), Decimal("14.00")),
    ]
    by_store = {(each.store, each.days_to_expiry): each.pieces for each in stock if each.store}
    assert by_store == {("main", 0): 15, ("main", 1): 3, ("east", 0): 1, ("east", 2): 7}
    by_category = {
        (each.category.casefold(), each.days_to_expiry): each.pieces for each in stock if each.category
    }
    assert by_category == {("bakery", 0): 15, ("bakery", 1): 3, ("dairy", 0): 1, ("dairy", 2): 7}


async def test_value_at_risk_is_what_expires_within_so_many_days(shop: AsyncSession) -> None:
    stock = await list_expiring_stock(shop, now=NOON, horizon=7)
    assert value_at_risk(stock, days=(0, 1, 7)) == (
        ValueAtRisk(0, 3, 16, Decimal("47.00"), Decimal("23.50")),
        ValueAtRisk(1, 4, 19, Decimal("59.00"), Decimal("35.50")),
        ValueAtRisk(7, 5, 26, Decimal("73.00"), Decimal("49.50")),
    )
    assert value_at_risk(()) == tuple(ValueAtRisk(day, 0, 0, Decimal(0), Decimal(0)) for day in (1, 3, 7))


async def test_stock_can_be_narrowed_to_a_store_and_a_category(shop: AsyncSession) -> None:
    east = await list_expiring_stock(shop, now=NOON, store="east", category="DAIRY")
    assert {each.pieces for each in east if each.days_to_expiry == 2} == {7}
    assert {each.store for each in east} == {None, "east"}
    with pytest.raises(NotFound):
        await list_expiring_stock(shop, now=NOON, store="nowhere")
    with pytest.raises(InvalidInput):
        await list_expiring_stock(shop, now=NOON, horizon=10_000)


async def test_stock_value_counts_expiring_batches_by_each_stores_date(session: AsyncSession) -> None:
    await a_store(session, "kiritimati", "Pacific/Kiritimati")
    await a_batch(session, quantity=4, store="kiritimati", expiry_date=DAY + _ONE)
    # At noon in Greenwich it is the next day there.
    [of_all, *_] = await list_expiring_stock(session, now=NOON)
    assert (of_all.days_to_expiry, of_all.pieces) == (0, 4)


async def test_a_category_has_one_name_in_every_row_query_and_store(session: AsyncSession) -> None:
    await an_active_policy(session)
    await a_store(session, "east", "UTC")
    spellings = ("PANTRY", "Pantry", "pantry", "Pantry", " pantry ", "Pantry")
    for days, spelling in enumerate(spellings):
        product = await a_product(session, category=spelling)
        await a_batch(session, product, expiry_date=DAY + days * _ONE)
        await a_batch(session, product, store="east" if days % 2 else "main")
    promised = await preview_recompute(session, now=NOON)
    await recompute_all_discounts(session, now=NOON, days_threshold=30)
    stock = await list_expiring_stock(session, now=NOON)
    assert [each.days_to_expiry for each in stock if each.category] == list(range(len(spellings)))
    assert {each.category for each in stock if each.category} == {"Pantry"}
    assert [(each.store, each.category) for each in await list_reduced_stock(session, now=NOON)] == [
        ("main", "Pantry"),
        ("east", "Pantry"),
    ]
    assert [each.category for each in promised.totals] == ["Pantry"]
    for spelling in ("pantry", "PANTRY", "Pantry "):
        assert await list_expiring_stock(session, now=NOON, category=spelling) == stock


async def test_discounts_are_counted_and_as_expired_only_when_every_store_is_a_day_further(
    shop: AsyncSession,
) -> None:
    open_, expired = await count_discounts(shop, now=NOON)
    assert (open_, expired) == (3, 0)
    assert await count_discounts(shop, now=NOON + _ONE) == (3, 3)
    # There the day of yesterday's bread is not over.
    await a_store(shop, "far-west", "Etc/GMT+12")
    assert await count_discounts(shop, now=NOON - timedelta(hours=6) + _ONE) == (3, 0)
