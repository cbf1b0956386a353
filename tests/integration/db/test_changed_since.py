"""A reader of changes since the last reading misses none, however late it is committed."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.catalog.products import list_products
from flexiprice.db.changed_since import changes_complete_until
from tests.support.builders import a_batch, a_product

TABLES = ("stores", "products", "batches", "policies", "discounts")
LONG_AGO = "timestamptz '2020-01-01 00:00:00+00'"


async def skus_since(engine: AsyncEngine, since: datetime) -> tuple[datetime, list[str]]:
    async with AsyncSession(engine) as session, session.begin():
        as_of = await changes_complete_until(session)
        found = await list_products(session, changed_since=since)
        return as_of, [product.sku for product in found]


async def test_reader_of_changes_misses_no_row_that_commits_after_the_reading(engine):
    async with AsyncSession(engine) as session, session.begin():
        await a_product(session, sku="BREAD")
        await a_product(session, sku="MILK")
    first, _ = await skus_since(engine, datetime.fromisoformat("2020-01-01T00:00:00+00:00"))
    async with AsyncSession(engine) as late, late.begin():
        await late.execute(text("UPDATE products SET name = 'late' WHERE sku = 'MILK'"))
        # A quicker writer commits first: the latest visible `updated_at` is no place to continue from.
        async with AsyncSession(engine) as quick, quick.begin():
            await quick.execute(text("UPDATE products SET name = 'quick' WHERE sku = 'BREAD'"))
        second, seen = await skus_since(engine, first)
        assert "BREAD" in seen
        began_at = await late.scalar(text("SELECT now()"))
    assert second <= began_at
    _, seen = await skus_since(engine, second)
    assert "MILK" in seen


async def test_a_transaction_that_has_only_read_so_far_holds_the_instant_back(engine):
    async with AsyncSession(engine) as reading, reading.begin():
        began_at = await reading.scalar(text("SELECT now()"))
        async with AsyncSession(engine) as session, session.begin():
            as_of = await changes_complete_until(session)
    assert as_of <= began_at


async def test_changes_are_complete_within_a_minute_while_nobody_writes(engine):
    async with AsyncSession(engine) as session, session.begin():
        as_of = await changes_complete_until(session)
        now = await session.scalar(text("SELECT clock_timestamp()"))
        busy = await session.scalar(
            text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                "AND xact_start IS NOT NULL AND pid <> pg_backend_pid()"
            )
        )
    assert busy > 0 or now - as_of < timedelta(minutes=1)


@pytest.mark.parametrize("table", TABLES)
async def test_database_sets_updated_at_for_every_writer(session: AsyncSession, table):
    await a_batch(session)
    if table == "discounts":
        await session.execute(
            text(
                "INSERT INTO discounts (batch_id, fingerprint, price, base_price, rate, limits, "
                "policy_version, expiry_date, days_to_expiry, quantity, opened_at, changed_at, updated_at) "
                f"SELECT id, 1, 1, 2, 0.5, 0, 1, expiry_date, 1, 1, now(), now(), {LONG_AGO} FROM batches"
            )
        )
    column = {
        "stores": "time_zone = 'Asia/Tokyo'",
        "products": "name = 'Other'",
        "batches": "quantity = quantity + 1",
        "policies": "activated_at = now() + interval '1 hour'",
        "discounts": "price = 0.5",
    }[table]
    (now,) = (await session.execute(text("SELECT now()"))).one()
    for change in (column, f"updated_at = {LONG_AGO}"):
        await session.execute(text(f"UPDATE {table} SET {change}"))
        instants = (await session.execute(text(f"SELECT DISTINCT updated_at FROM {table}"))).scalars().all()
        assert instants == [now], change


async def test_an_update_that_changes_nothing_and_a_refreshed_fingerprint_are_no_change(engine):
    async with AsyncSession(engine) as session, session.begin():
        await a_batch(session)
        await session.execute(
            text(
                "INSERT INTO discounts (batch_id, fingerprint, price, base_price, rate, limits, "
                "policy_version, expiry_date, days_to_expiry, quantity, opened_at, changed_at) "
                "SELECT id, 1, 1, 2, 0.5, 0, 1, expiry_date, 1, 1, now(), now() FROM batches"
            )
        )
    before = await instants(engine)
    async with AsyncSession(engine) as session, session.begin():
        for table, change in {
            "stores": "code = code",
            "products": "name = name",
            "batches": "quantity = quantity",
            "policies": "active = active",
            "discounts": "fingerprint = 2",
        }.items():
            await session.execute(text(f"UPDATE {table} SET {change}"))
    assert await instants(engine) == before


async def instants(engine: AsyncEngine) -> dict[str, list[datetime]]:
    async with AsyncSession(engine) as session, session.begin():
        return {
            table: list((await session.execute(text(f"SELECT updated_at FROM {table} ORDER BY 1"))).scalars())
            for table in TABLES
        }


async def test_a_sale_and_a_changed_price_stay_within_their_page_of_the_table(session: AsyncSession):
    indexed = await session.execute(
        text(
            "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid "
            "AND attnum = ANY (indkey) WHERE attname = 'updated_at' AND indrelid IN "
            "('batches'::regclass, 'discounts'::regclass)"
        )
    )
    assert indexed.all() == []
