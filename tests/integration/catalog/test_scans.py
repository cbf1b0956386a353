"""A scan changes one batch, by the store's own date and beside other scans."""

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.catalog.batches import create_batch
from flexiprice.catalog.products import create_product
from flexiprice.catalog.scans import RecordedScan, ScanMode, record_scan
from flexiprice.catalog.stores import create_store
from flexiprice.errors import Conflict

GTIN = "04006381333931"
DAY = date(2026, 11, 27)
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
LOCK_WAITERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def a_shop(session: AsyncSession) -> None:
    await create_product(
        session, sku="RYE", name="Rye", category="Bakery", base_price=Decimal("2.00"), gtins=[GTIN]
    )


async def scanned(
    session: AsyncSession, code: str, quantity: int = 1, *, store: str = "main", now: datetime = NOON
) -> RecordedScan:
    return await record_scan(session, code, store=store, quantity=quantity, mode=ScanMode.ADD, now=now)


async def test_a_batch_is_open_until_its_last_day_ends_in_its_store(session: AsyncSession) -> None:
    await a_shop(session)
    for store, zone in (("auckland", "Pacific/Auckland"), ("honolulu", "Pacific/Honolulu")):
        await create_store(session, code=store, time_zone=zone)
        await create_batch(session, store=store, sku="RYE", lot="", expiry_date=DAY, quantity=5, now=NOON)
    # It is the next day already in Auckland, and still the same day in Honolulu.
    with pytest.raises(Conflict, match="'auckland' has no open batch of 'RYE'"):
        await scanned(session, GTIN, store="auckland")
    assert (await scanned(session, GTIN, store="honolulu")).batch.quantity == 6


async def test_at_most_ten_batches_are_listed(session: AsyncSession) -> None:
    await a_shop(session)
    for number in range(12):
        await scanned(session, f"01{GTIN}17261231" + f"10L{number:02}")
    with pytest.raises(Conflict) as refused:
        await scanned(session, GTIN)
    assert "lot L00," in refused.value.message
    assert "lot L09," in refused.value.message
    assert "lot L10," not in refused.value.message
    assert " and more; scan a code" in refused.value.message


async def test_years_of_two_digits_are_completed_by_the_instant_of_the_scan(session: AsyncSession) -> None:
    await a_shop(session)
    late = datetime(2060, 6, 1, tzinfo=UTC)
    assert (await scanned(session, f"01{GTIN}17050101", now=late)).batch.expiry_date == date(2105, 1, 1)


async def test_a_scan_that_waits_for_another_adds_to_the_batch_that_it_made(engine: AsyncEngine) -> None:
    code = f"01{GTIN}1726123110A"
    async with AsyncSession(engine) as session, session.begin():
        await a_shop(session)
    async with AsyncSession(engine) as first, AsyncSession(engine) as second:
        await first.begin()
        made = await scanned(first, code, 2)
        waiting = asyncio.create_task(scanned(second, code, 3))
        async with asyncio.timeout(60), AsyncSession(engine) as watcher:
            while not await watcher.scalar(LOCK_WAITERS):
                await watcher.rollback()
        await first.commit()
        added = await waiting
        await second.commit()
    assert (made.created, made.batch.quantity) == (True, 2)
    assert (added.created, added.quantity_before, added.batch.quantity) == (False, 2, 5)
    assert added.batch.batch_id == made.batch.batch_id
