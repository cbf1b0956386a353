"""Events are recorded once: by store, source and line id, in every month, and beside each other."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.db.event_tables import EventIdentity, SetAsideEvent, StockEvent
from flexiprice.domain.stock_event import EventKind
from tests.support.builders import DAY, NOON, a_batch, a_product
from tests.support.stock_events import a_count, a_delivery, an_event, record, stock

LAST_YEAR = NOON - timedelta(days=365)


@pytest.fixture
async def shop(session: AsyncSession) -> AsyncSession:
    """A session in which there are ten units of RYE that expire on DAY."""
    await a_batch(session, await a_product(session, sku="RYE"))
    await state_before_noon(session)
    return session


async def state_before_noon(session: AsyncSession) -> None:
    await session.execute(text("UPDATE batches SET created_at = :at"), {"at": NOON - timedelta(days=400)})


async def count(session: AsyncSession, table) -> int:
    return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def test_an_event_is_recorded_once_and_its_repetition_is_ignored(shop: AsyncSession) -> None:
    first = await record(shop, an_event("1", units=2))
    again = await record(shop, an_event("1", units=2))
    assert (first.recorded, first.ignored) == (1, 0)
    assert (again.recorded, again.ignored, again.moved_batches) == (0, 1, ())
    assert await stock(shop) == {DAY: 8}
    assert await count(shop, StockEvent) == 1


async def test_a_repetition_within_one_request_is_ignored_too(shop: AsyncSession) -> None:
    result = await record(shop, an_event("1"), an_event("1", line=2), an_event("2", line=3))
    assert (result.recorded, result.ignored) == (2, 1)


async def test_other_content_is_set_aside_and_names_the_first(shop: AsyncSession) -> None:
    await record(shop, an_event("1", units=2))
    event_id = (await shop.execute(select(StockEvent.id))).scalar_one()
    result = await record(shop, an_event("1", units=3, line=7))
    again = await record(shop, an_event("1", units=3))
    assert (result.recorded, len(again.set_aside)) == (0, 1)
    assert [(row.line, str(row.problems[0])) for row in result.set_aside] == [
        (
            7,
            (
                f"line '1' of source 'till' is recorded with other content, as event {event_id} of "
                "2026-03-10T12:00:00+00:00: it is set aside; a correction needs a line id of its own"
            ),
        )
    ]
    assert await stock(shop) == {DAY: 8}
    kept = (await shop.execute(select(SetAsideEvent))).scalars().all()
    assert [(row.first_event_id, row.content["quantity"]) for row in kept] == [(event_id, "3")]


async def test_the_same_line_of_another_source_or_store_is_another_event(shop: AsyncSession) -> None:
    result = await record(shop, an_event("1"), an_event("1", source="other"))
    assert result.recorded == 2


async def test_an_identity_is_unique_over_all_months(shop: AsyncSession) -> None:
    await record(shop, an_event("1", at=LAST_YEAR))
    moved_to_this_month = await record(shop, an_event("1"))
    assert len(moved_to_this_month.set_aside) == 1
    assert await count(shop, StockEvent) == 1
    partition = await shop.scalar(text("SELECT to_regclass('stock_events_2025_03')"))
    assert partition is not None, "the month was created for an event of the past"


async def test_sku_and_gtin_of_one_product_are_the_same_content(shop: AsyncSession) -> None:
    await shop.execute(
        text("INSERT INTO product_gtins SELECT '04006381333931', id FROM products WHERE sku = 'RYE'")
    )
    await record(shop, an_event("1"))
    again = await record(shop, an_event("1", sku=None, gtin="04006381333931"))
    assert again.ignored == 1


async def test_a_bad_event_is_named_and_the_others_are_recorded(shop: AsyncSession) -> None:
    result = await record(
        shop,
        an_event("1"),
        an_event("2", sku="NONE", line=2),
        an_event("3", lot="L-1", line=3),
        an_event("4", units="0.5", line=4),
    )
    assert result.recorded == 1
    assert {row.line: str(row.problems[0]) for row in result.bad} == {
        2: "there is no product with the SKU 'NONE': import it, then send this again",
        3: "store 'main' has no batch of 'RYE' with lot 'L-1': import the batch or record its delivery, then "
        "send this again",
        4: "quantity: 0.5 is a fraction, and the product is counted in each: write a whole number, or change "
        "the product's unit, to kg for example",
    }
    assert await count(shop, EventIdentity) == 1, "a corrected event may use the line id again"


async def test_a_refused_event_is_recorded_once_its_batch_is_there(shop: AsyncSession) -> None:
    sale = an_event("1", lot="L-1", at=NOON + timedelta(hours=1))
    assert len((await record(shop, sale)).bad) == 1
    await record(shop, a_delivery("d", 5, lot="L-1", days=1))
    assert (await record(shop, sale)).recorded == 1
    assert (await stock(shop))[DAY + timedelta(days=1)] == 4


async def test_an_ambiguous_batch_is_refused_and_the_batches_are_listed(shop: AsyncSession) -> None:
    await shop.execute(text("UPDATE batches SET lot = 'A-1'"))
    await record(shop, a_delivery("d", 5, days=1, lot="L-1"))
    result = await record(shop, a_count("c", 3))
    assert str(result.bad[0].problems[0]) == (
        "store 'main' has 2 batches of 'RYE' (lot A-1 of 2026-03-10, lot L-1 of 2026-03-11): name the "
        "lot, or the expiry date of a batch without one"
    )


async def test_concurrent_requests_with_the_same_events_record_each_once(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session, session.begin():
        for sku in ("RYE", "OAT"):
            await a_batch(session, await a_product(session, sku=sku), quantity=100)
        await state_before_noon(session)
    events = [an_event(str(number), sku=sku) for number in range(20) for sku in ("RYE",)]
    events += [an_event(f"oat-{number}", sku="OAT") for number in range(20)]

    async def send(order: list) -> tuple[int, int]:
        async with AsyncSession(engine) as session, session.begin():
            result = await record(session, *order)
        return result.recorded, result.ignored

    results = await asyncio.gather(*(send(events if turn % 2 else events[::-1]) for turn in range(4)))
    assert sum(recorded for recorded, _ in results) == 40
    assert sum(ignored for _, ignored in results) == 120
    async with AsyncSession(engine) as session:
        assert await stock(session) == {DAY: 160}


async def test_a_delivery_makes_its_batch_once(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session, session.begin():
        await a_product(session, sku="RYE")

    async def send(line_id: str) -> None:
        async with AsyncSession(engine) as session, session.begin():
            assert (await record(session, a_delivery(line_id, 5))).recorded == 1

    await asyncio.gather(*map(send, "abcd"))
    async with AsyncSession(engine) as session:
        assert await stock(session) == {DAY: 20}
        assert await count(session, StockEvent) == 4


async def test_a_waste_event_without_a_lot_takes_the_oldest_batch(shop: AsyncSession) -> None:
    await record(shop, a_delivery("d", 5, days=1))
    await record(shop, an_event("w", kind=EventKind.WASTE, units=12, at=NOON + timedelta(hours=1)))
    assert await stock(shop) == {DAY: 0, DAY + timedelta(days=1): 3}
