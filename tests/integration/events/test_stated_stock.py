"""Stock that a count states holds at its instant: earlier events do not move it, later ones do."""

from datetime import timedelta
from itertools import permutations

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.event_tables import StockMovement
from flexiprice.db.partitions import ensure_partitions
from flexiprice.domain.stock_event import AllocationGround, EventKind
from flexiprice.events.event_row import EventRow
from tests.support.builders import DAY, NOON, a_batch, a_product
from tests.support.stock_events import a_count, a_delivery, an_event, record, record_one_by_one, stock


def hours(number: float) -> dict:
    return {"at": NOON + timedelta(hours=number)}


# Ten are delivered, two sold, seven counted, and three sold after the count.
DELIVERED = a_delivery("d", 10, **hours(0))
A_DAY = (
    an_event("s1", units=2, expiry_date=DAY, **hours(1)),
    a_count("c", 7, expiry_date=DAY, **hours(2)),
    an_event("s2", units=3, expiry_date=DAY, **hours(3)),
)


@pytest.mark.parametrize("order", list(permutations(A_DAY)))
async def test_a_count_holds_at_its_instant_in_any_order_of_arrival(
    session: AsyncSession, order: tuple[EventRow, ...]
) -> None:
    await a_product(session, sku="RYE")
    await record_one_by_one(session, [DELIVERED, *order])
    assert await stock(session) == {DAY: 4}


async def test_a_count_holds_at_its_instant_within_one_request_too(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await record(session, *A_DAY[::-1], DELIVERED)
    assert await stock(session) == {DAY: 4}


async def test_an_earlier_sale_is_recorded_and_counted_and_moves_nothing(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await record_one_by_one(session, [DELIVERED, A_DAY[1]])
    result = await record(session, A_DAY[0])
    assert (result.recorded, result.already_counted, result.moved_batches) == (1, 1, ())
    assert await stock(session) == {DAY: 7}


async def test_an_older_count_does_not_replace_a_newer_one(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await record_one_by_one(session, [DELIVERED, a_count("new", 5, **hours(2))])
    result = await record(session, a_count("old", 9, **hours(1)))
    assert (result.recorded, result.already_counted) == (1, 1)
    assert await stock(session) == {DAY: 5}


@pytest.mark.parametrize("sale_first", [True, False])
async def test_a_sale_before_its_delivery_arrives_is_taken_from_it(
    session: AsyncSession, sale_first: bool
) -> None:
    await a_product(session, sku="RYE")
    await record(session, a_delivery("d1", 1, **hours(0)))
    later = [
        an_event("s", units=3, expiry_date=DAY, **hours(1)),
        a_delivery("d2", 5, **hours(2)),
    ]
    result = await record(session, later[0])
    assert (result.beyond_stock, await stock(session)) == (1, {DAY: 0})
    await record(session, later[1])
    assert await stock(session) == {DAY: 3}


async def test_stock_that_was_entered_holds_from_then_on(session: AsyncSession) -> None:
    await a_batch(session, await a_product(session, sku="RYE"))
    await session.execute(text("UPDATE batches SET created_at = :at"), {"at": NOON})
    await record(session, an_event("before", **hours(-1)), an_event("after", units=2, **hours(1)))
    assert await stock(session) == {DAY: 8}


async def test_a_return_raises_the_stock_of_its_batch(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await record_one_by_one(
        session,
        [DELIVERED, an_event("s", units=4, **hours(1)), an_event("r", units=-1, expiry_date=DAY, **hours(2))],
    )
    assert await stock(session) == {DAY: 7}


async def grounds(session: AsyncSession) -> set[AllocationGround | None]:
    sold = StockMovement.quantity < 0
    return set((await session.execute(select(StockMovement.ground).where(sold))).scalars())


async def test_a_sale_that_names_its_batch_is_scanned(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await record(session, DELIVERED, a_delivery("d2", 10, days=1, lot="L-1", **hours(0)))
    await record(session, an_event("s", units=4, lot="L-1", **hours(1)))
    assert await stock(session) == {DAY: 10, DAY + timedelta(days=1): 6}
    assert await grounds(session) == {AllocationGround.SCANNED}


async def test_a_reduced_price_of_its_time_names_the_batch(session: AsyncSession) -> None:
    product = await a_product(session, sku="RYE")
    cheap, _ = [
        await a_batch(session, product),
        await a_batch(session, product, expiry_date=DAY + timedelta(1)),
    ]
    await session.execute(text("UPDATE batches SET created_at = :at"), {"at": NOON})
    await reduce_price(session, cheap, product)
    result = await record(
        session,
        an_event("s", units=4, price="2.00", **hours(2)),
        # An hour earlier, no batch had this price.
        an_event("t", units=2, price="2.00", **hours(0.5)),
    )
    assert result.recorded == 2
    assert await stock(session) == {DAY: 5, DAY + timedelta(1): 9}
    assert await grounds(session) == {AllocationGround.PRICE, AllocationGround.ASSUMED}


async def reduce_price(session: AsyncSession, batch_id: int, product_id: int) -> None:
    await ensure_partitions(session, now=NOON)
    await session.execute(
        text(
            "INSERT INTO price_decisions (batch_id, decided_at, kind, store_id, product_id, price, "
            "base_price, rate, limits, policy_version, expiry_date, days_to_expiry, quantity) "
            "VALUES (:batch_id, :at, 'opened', 1, :product_id, 2.00, 4.00, 0.5, 0, 1, :day, 0, 10)"
        ),
        {"batch_id": batch_id, "product_id": product_id, "at": NOON + timedelta(hours=1), "day": DAY},
    )


async def test_a_sale_without_lot_and_price_is_assumed_of_first_and_last_batch(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await record(session, *(a_delivery(f"d{days}", 10, days=days, **hours(0)) for days in (0, 1, 2)))
    await record(session, an_event("s", units=4, **hours(1)))
    assert [units for _, units in sorted((await stock(session)).items())] == [8, 10, 8]
    assert await grounds(session) == {AllocationGround.ASSUMED}


async def test_a_batch_that_had_expired_in_its_store_is_not_sold(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await record(session, DELIVERED, a_delivery("d2", 10, days=1, **hours(0)))
    await record(session, an_event("s", units=4, **hours(24)))
    assert await stock(session) == {DAY: 10, DAY + timedelta(days=1): 6}


async def test_units_beyond_all_stock_are_told_and_leave_no_debt(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    await record(session, DELIVERED)
    result = await record(session, an_event("s", units=12, kind=EventKind.SALE, **hours(1)))
    assert (result.recorded, result.beyond_stock, await stock(session)) == (1, 1, {DAY: 0})
    await record(session, a_delivery("d2", 5, **hours(2)))
    assert await stock(session) == {DAY: 5}
