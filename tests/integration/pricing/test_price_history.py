"""The price history: one row a slot and discounted product, one closing row, and the lowest of 30 days."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.tables import Batch, Discount, PriceSnapshot, Product, Store
from flexiprice.errors import NotFound
from flexiprice.pricing.price_history import get_price_history, slot_of, update_price_history

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SIX_HOURS = timedelta(hours=6)


@pytest.fixture
async def bread(session: AsyncSession) -> int:
    await ensure_partitions(session, now=datetime(2026, 1, 1, tzinfo=UTC))
    return await _product(session, "BREAD", "4.00")


async def _product(session: AsyncSession, sku: str, base_price: str) -> int:
    values = {
        "sku": sku,
        "name": sku,
        "category": "Bakery",
        "category_key": "bakery",
        "base_price": base_price,
    }
    return (await session.execute(insert(Product).values(values).returning(Product.id))).scalar_one()


async def _discounted(
    session: AsyncSession,
    product_id: int,
    price: str,
    *,
    expiry: date = date(2026, 3, 11),
    store: str = "main",
) -> int:
    store_id = (await session.execute(select(Store.id).where(Store.code == store))).scalar_one()
    batch = {
        "store_id": store_id,
        "product_id": product_id,
        "lot": f"{price} {expiry}",
        "quantity": 5,
        "expiry_date": expiry,
    }
    batch_id = (await session.execute(insert(Batch).values(batch).returning(Batch.id))).scalar_one()
    row = {
        "batch_id": batch_id,
        "price": Decimal(price),
        "base_price": Decimal("4.00"),
        "rate": Decimal("0.1"),
        "limits": 0,
        "policy_version": 1,
        "expiry_date": expiry,
        "days_to_expiry": 1,
        "quantity": 5,
        "opened_at": NOON,
        "changed_at": NOON,
    }
    if "fingerprint" in Discount.__table__.c:
        row["fingerprint"] = 0
    await session.execute(insert(Discount).values(row))
    return batch_id


async def _record(session: AsyncSession, slot_at: datetime) -> tuple[int, int]:
    summary = await update_price_history(session, slot_at=slot_at, now=slot_at)
    return summary.recorded, summary.closed


async def _rows(session: AsyncSession) -> list[tuple[datetime, Decimal]]:
    query = select(PriceSnapshot.slot_at, PriceSnapshot.price).order_by(PriceSnapshot.slot_at)
    return [(slot_at, price) for slot_at, price in await session.execute(query)]


@pytest.mark.parametrize(
    ("instant", "slot"),
    [
        ("2026-03-10T12:00:00+00:00", "2026-03-10T12:00:00+00:00"),
        ("2026-03-10T17:59:59.999999+00:00", "2026-03-10T12:00:00+00:00"),
        ("2026-03-10T01:30:00+02:00", "2026-03-09T18:00:00+00:00"),
    ],
)
def test_a_slot_is_utc_floored_to_six_hours(instant: str, slot: str) -> None:
    assert slot_of(datetime.fromisoformat(instant)) == datetime.fromisoformat(slot)


async def test_a_slot_holds_the_lowest_price_of_all_batches(session: AsyncSession, bread: int) -> None:
    await _discounted(session, bread, "3.00", expiry=date(2026, 3, 12))
    await _discounted(session, bread, "2.00")
    assert await _record(session, NOON) == (1, 0)
    assert await _rows(session) == [(NOON, Decimal("2.00"))]


async def test_an_expired_batch_that_nobody_closed_yet_does_not_count(
    session: AsyncSession, bread: int
) -> None:
    await _discounted(session, bread, "1.00", expiry=date(2026, 3, 9))
    assert await _record(session, NOON) == (0, 0)


async def test_price_snapshot_leaves_out_batches_expired_by_their_stores_date(
    session: AsyncSession, bread: int
) -> None:
    await session.execute(insert(Store).values(code="auckland", time_zone="Pacific/Auckland"))
    for store in ("main", "auckland"):
        await _discounted(session, bread, "2.00", expiry=date(2026, 3, 10), store=store)
    assert await _record(session, NOON) == (1, 0), "at noon UTC it is the next day in Auckland"


async def test_a_product_back_at_base_price_gets_one_closing_row(session: AsyncSession, bread: int) -> None:
    await _discounted(session, bread, "2.00")
    await _record(session, NOON)
    await session.execute(delete(Discount))
    assert await _record(session, NOON + SIX_HOURS) == (0, 1)
    assert await _record(session, NOON + 2 * SIX_HOURS) == (0, 0)
    assert await _rows(session) == [(NOON, Decimal("2.00")), (NOON + SIX_HOURS, Decimal("4.00"))]


async def test_slots_that_nobody_recorded_do_not_hide_a_return(session: AsyncSession, bread: int) -> None:
    await _discounted(session, bread, "2.00")
    await _record(session, NOON)
    await session.execute(delete(Discount))
    assert await _record(session, NOON + timedelta(days=3)) == (0, 1)


async def test_snapshot_run_again_overwrites_its_slot(session: AsyncSession, bread: int) -> None:
    await _discounted(session, bread, "2.00")
    await _record(session, NOON)
    await session.execute(update(Discount).values(price=Decimal("1.50")))
    await _record(session, NOON)
    assert await _rows(session) == [(NOON, Decimal("1.50"))]
    await session.execute(delete(Discount))
    assert await _record(session, NOON) == (0, 0)
    assert await _rows(session) == [], "it was never discounted in a slot, so no row says base price"


async def test_a_late_run_does_not_write_todays_prices_into_a_past_slot(
    session: AsyncSession, bread: int
) -> None:
    await _discounted(session, bread, "2.00")
    await _record(session, NOON)
    late = await update_price_history(session, slot_at=NOON - SIX_HOURS, now=NOON)
    assert (late.superseded, late.recorded) == (True, 0)
    assert await _rows(session) == [(NOON, Decimal("2.00"))]


async def test_snapshots_carry_in_the_price_before_the_days_asked_for(
    session: AsyncSession, bread: int
) -> None:
    await _discounted(session, bread, "1.00")
    await _record(session, NOON - timedelta(days=31))
    await session.execute(update(Discount).values(price=Decimal("3.00")))
    await _record(session, NOON - timedelta(days=20))
    history = await get_price_history(session, sku="BREAD", store="main", now=NOON)
    assert [point.price for point in history.snapshots] == [Decimal("1.00"), Decimal("3.00")]


async def test_a_closing_row_before_the_30_days_means_base_price(session: AsyncSession, bread: int) -> None:
    await _discounted(session, bread, "1.00")
    await _record(session, NOON - timedelta(days=33))
    await session.execute(delete(Discount))
    await _record(session, NOON - timedelta(days=32))
    history = await get_price_history(session, sku="BREAD", store="main", now=NOON)
    assert history.lowest_30_days == Decimal("4.00")
    assert history.snapshots == ()


async def test_days_are_those_of_the_store(session: AsyncSession, bread: int) -> None:
    await session.execute(update(Store).values(time_zone="America/New_York"))
    await _discounted(session, bread, "2.00", expiry=date(2026, 4, 1))
    midnight_utc = datetime(2026, 3, 10, tzinfo=UTC)
    await _record(session, midnight_utc)
    day = date(2026, 3, 9)
    history = await get_price_history(session, sku="BREAD", store="main", now=NOON, start=day, end=day)
    assert [point.slot_at for point in history.snapshots] == [midnight_utc], "in New York it is still the 9th"


async def test_an_unknown_product_is_named(session: AsyncSession) -> None:
    with pytest.raises(NotFound, match="CAKE"):
        await get_price_history(session, sku="CAKE", store="main", now=NOON)
