"""Events that name a lot: the lot names the batch, and a delivery must have its expiry date."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.tables import Batch
from flexiprice.domain.expiry import NO_EXPIRY
from flexiprice.domain.stock_event import EventKind
from tests.support.builders import DAY, NOON, a_product
from tests.support.stock_events import a_count, a_delivery, an_event, record, stock

TOMORROW = DAY + timedelta(days=1)


@pytest.fixture
async def shop(session: AsyncSession) -> AsyncSession:
    """A session in which a delivery brought twenty units of RYE, of a lot that expires on DAY."""
    await a_product(session, sku="RYE")
    await record(session, a_delivery("first", 20, lot="L-1", at=NOON - timedelta(hours=1)))
    return session


@pytest.mark.parametrize("kind", [EventKind.SALE, EventKind.WASTE, EventKind.COUNT])
async def test_an_event_with_the_printed_date_finds_the_lot_whose_date_was_corrected(
    shop: AsyncSession, kind: EventKind
) -> None:
    await shop.execute(text("UPDATE batches SET expiry_date = :day"), {"day": TOMORROW})
    assert (await record(shop, an_event("1", kind=kind, units=15, lot="L-1", expiry_date=DAY))).recorded == 1
    assert await stock(shop) == {TOMORROW: 15 if kind is EventKind.COUNT else 5}


async def test_a_delivery_adds_to_its_lot_with_the_same_date_or_without_one(shop: AsyncSession) -> None:
    without = an_event("2", kind=EventKind.DELIVERY, units=3, lot="L-1")
    assert (await record(shop, a_delivery("1", 2, lot="L-1"), without)).recorded == 2
    assert await stock(shop) == {DAY: 25}


async def test_a_delivery_with_another_date_is_refused_until_one_of_them_is_corrected(
    shop: AsyncSession,
) -> None:
    batch = await shop.scalar(select(Batch.id))
    other = a_delivery("1", 2, lot="L-1", days=1)
    assert str((await record(shop, other)).bad[0].problems[0]) == (
        f"store 'main' has the lot 'L-1' of 'RYE' with the expiry date {DAY}, not {TOMORROW}: correct batch "
        f"{batch} or this date, then send this again"
    )
    await shop.execute(text("UPDATE batches SET expiry_date = :day"), {"day": TOMORROW})
    assert (await record(shop, other)).recorded == 1
    assert await stock(shop) == {TOMORROW: 22}


async def test_of_two_deliveries_that_make_a_lot_the_first_decides_its_date(shop: AsyncSession) -> None:
    result = await record(
        shop, a_delivery("1", 2, lot="L-2", days=3, line=1), a_delivery("2", 4, lot="L-2", days=2, line=2)
    )
    assert (result.recorded, [row.line for row in result.bad]) == (1, [2])
    assert await stock(shop) == {DAY: 20, DAY + timedelta(days=3): 2}


async def test_deliveries_without_a_lot_make_a_batch_for_each_date(shop: AsyncSession) -> None:
    result = await record(shop, a_delivery("1", 2, days=3), a_delivery("2", 4, days=2))
    assert result.recorded == 2
    counted = await record(shop, a_count("c", 5, expiry_date=DAY + timedelta(days=2)))
    assert counted.recorded == 1
    assert await stock(shop) == {DAY: 20, DAY + timedelta(days=2): 5, DAY + timedelta(days=3): 2}


async def test_goods_without_a_date_are_sold_and_wasted_last(shop: AsyncSession) -> None:
    await shop.execute(
        text("UPDATE batches SET expiry_date = :day, created_at = :at"),
        {"day": NO_EXPIRY, "at": NOON - timedelta(days=9)},
    )
    await record(shop, a_delivery("dated", 4, lot="L-2", days=2))
    await record(shop, an_event("w", kind=EventKind.WASTE, units=5, at=NOON + timedelta(hours=1)))
    assert await stock(shop) == {DAY + timedelta(days=2): 0, NO_EXPIRY: 19}
