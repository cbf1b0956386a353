"""Migrations by plain `alembic` commands, and by programs that start at the same time."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.engine import create_engine
from flexiprice.db.migrate import head_revision, is_current, upgrade
from flexiprice.db.partitions import ensure_partitions
from flexiprice.domain.quantity import MAX_QUANTITY, to_thousandths
from flexiprice.errors import Conflict, DatabaseUnavailable
from flexiprice.settings import load_settings
from tests.support.paths import ROOT
from tests.support.servers import execute

_LEFT = """
    SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname !~ '^alembic_version'
    UNION SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'
    UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""

_STOCK = """
    INSERT INTO products (sku, name, category, category_key, base_price) VALUES ('A', 'A', 'A', 'a', 4);
    INSERT INTO batches (store_id, product_id, quantity, expiry_date) VALUES (1, 1, 7, '2030-01-01');
    INSERT INTO discounts (batch_id, fingerprint, price, base_price, rate, limits, policy_version,
        expiry_date, days_to_expiry, quantity, opened_at, changed_at)
    VALUES (1, 1, 2, 4, 0.5, 0, 1, '2030-01-01', 1, 7, now(), now());
    CREATE TABLE price_decisions_2020_01 PARTITION OF price_decisions
        FOR VALUES FROM ('2020-01-01 00:00:00+00') TO ('2020-02-01 00:00:00+00');
    INSERT INTO price_decisions (batch_id, decided_at, kind, store_id, product_id, price, base_price, rate,
        limits, policy_version, expiry_date, days_to_expiry, quantity)
    VALUES (1, '2020-01-15', 'opened', 1, 1, 2, 4, 0.5, 0, 1, '2030-01-01', 1, 7);
"""


def alembic(url: str, *arguments: str) -> str:
    """Runs the command as a person would, from the checkout."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        env={"FLEXIPRICE_DATABASE_URL": url, "PATH": "/usr/bin:/bin"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


async def fetch(url: str, query: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [str(row[0]) for row in await connection.fetch(query)]
    finally:
        await connection.close()


def test_plain_alembic_commands_upgrade_downgrade_and_check(empty_database_url: str) -> None:
    alembic(empty_database_url, "upgrade", "head")
    made = asyncio.run(fetch(empty_database_url, _LEFT))
    this_month = datetime.now(UTC).strftime("%Y_%m")
    assert f"price_decisions_{this_month}" in made, "an upgrade makes the partitions, too"
    alembic(empty_database_url, "downgrade", "base")
    assert asyncio.run(fetch(empty_database_url, _LEFT)) == []
    alembic(empty_database_url, "upgrade", "head")
    assert "No new upgrade operations" in alembic(empty_database_url, "check")


async def test_units_keep_the_stock_of_a_database_with_data(empty_database_url: str) -> None:
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "0004")
    await execute(empty_database_url, _STOCK)
    before = await fetch(empty_database_url, "SELECT updated_at FROM batches")
    await asyncio.to_thread(upgrade, empty_database_url)
    for table in ("batches", "discounts", "price_decisions"):
        assert await fetch(empty_database_url, f"SELECT quantity FROM {table}") == ["7000"]
    assert await fetch(empty_database_url, "SELECT unit FROM products") == ["each"]
    assert await fetch(empty_database_url, "SELECT updated_at FROM batches") == before
    largest = f"UPDATE batches SET quantity = {to_thousandths(MAX_QUANTITY)}"
    await execute(empty_database_url, largest)
    await execute(empty_database_url, "UPDATE discounts SET price = 1.50, updated_at = '2020-01-01'")
    assert await fetch(empty_database_url, "SELECT updated_at > '2021-01-01' FROM discounts") == ["True"]
    await asyncio.to_thread(alembic, empty_database_url, "downgrade", "0004")
    assert await fetch(empty_database_url, "SELECT quantity FROM batches") == [str(MAX_QUANTITY)]


async def test_a_fraction_is_not_lost_by_a_downgrade(empty_database_url: str) -> None:
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "0004")
    await execute(empty_database_url, _STOCK)
    await asyncio.to_thread(upgrade, empty_database_url)
    await execute(empty_database_url, "UPDATE batches SET quantity = 12350")
    with pytest.raises(AssertionError, match="batches has fractions in quantity"):
        await asyncio.to_thread(alembic, empty_database_url, "downgrade", "0004")
    assert await fetch(empty_database_url, "SELECT quantity FROM batches") == ["12350"]


async def test_simultaneous_migrations_all_succeed_and_migrate_once(empty_database_url: str) -> None:
    await asyncio.gather(
        asyncio.to_thread(alembic, empty_database_url, "upgrade", "head"),
        *(asyncio.to_thread(upgrade, empty_database_url) for _ in range(2)),
    )
    assert await fetch(empty_database_url, "SELECT version_num FROM alembic_version") == [head_revision()]
    assert await fetch(empty_database_url, "SELECT code FROM stores") == ["main"]


async def test_batches_of_before_events_have_their_stock_stated_by_their_last_change(
    empty_database_url: str,
) -> None:
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "0003")
    await execute(
        empty_database_url,
        "INSERT INTO products (sku, name, category, category_key, base_price) VALUES ('A', 'A', 'A', 'a', 1)",
        "INSERT INTO batches (store_id, product_id, quantity, expiry_date) SELECT 1, id, 5, '2030-01-01' "
        "FROM products",
    )
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "head")
    same = "SELECT stated_at = updated_at FROM batch_statements JOIN batches ON id = batch_id"
    assert await fetch(empty_database_url, same) == ["True"]


async def test_a_failed_migration_leaves_nothing_behind(empty_database_url: str) -> None:
    await execute(empty_database_url, "CREATE TABLE discounts (in_the_way int)")
    with pytest.raises(Exception, match="discounts"):
        await asyncio.to_thread(upgrade, empty_database_url)
    left = await fetch(empty_database_url, "SELECT relname FROM pg_class WHERE relname = 'stores'")
    assert left == []


async def test_a_database_knows_whether_it_is_current(session: AsyncSession) -> None:
    assert await is_current(session)
    await session.execute(text("UPDATE alembic_version SET version_num = 'an older one'"))
    assert not await is_current(session)
    await session.execute(text("DROP TABLE alembic_version"))
    assert not await is_current(session)


def test_a_database_that_is_not_there_is_told_plainly(empty_database_url: str) -> None:
    with pytest.raises(DatabaseUnavailable, match="FLEXIPRICE_DATABASE_URL names does not exist"):
        upgrade(empty_database_url.rpartition("/")[0] + "/nowhere")
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        upgrade("postgresql://somebody:secret@127.0.0.1:1/flexiprice")


async def test_a_schema_of_another_version_is_refused_and_kept(empty_database_url: str) -> None:
    await asyncio.to_thread(upgrade, empty_database_url)
    await execute(empty_database_url, "UPDATE alembic_version SET version_num = '0999'")
    with pytest.raises(Conflict, match=r"schema 0999, which .* does not know: install"):
        await asyncio.to_thread(upgrade, empty_database_url)
    assert await fetch(empty_database_url, "SELECT version_num FROM alembic_version") == ["0999"]


async def test_simultaneous_partition_creation_creates_each_once(empty_database_url: str) -> None:
    await asyncio.to_thread(upgrade, empty_database_url)
    far = datetime(2050, 1, 31, tzinfo=UTC)

    async def make() -> int:
        settings = load_settings(env_files=(), database_url=empty_database_url)
        engine = create_engine(settings, application_name="flexiprice-tests")
        async with AsyncSession(engine) as session, session.begin():
            made = await ensure_partitions(session, now=far)
        await engine.dispose()
        return made

    assert sorted(await asyncio.gather(make(), make(), make())) == [0, 0, 12]


async def test_partitions_follow_each_other_without_a_gap(session: AsyncSession) -> None:
    for month in range(1, 13):
        await ensure_partitions(session, now=datetime(2049, month, 28, tzinfo=UTC))
    bounds = await session.execute(
        text(
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class "
            "WHERE relkind = 'r' AND relname ~ '^price_history_(2049|2050)' ORDER BY relname"
        )
    )
    found = [bound.split("'")[1::2] for bound in bounds.scalars()]
    assert len(found) == 14
    assert all(before[1] == after[0] for before, after in pairwise(found))


_LOTS = """
    INSERT INTO products (sku, name, category, category_key, base_price) VALUES ('A', 'A', 'A', 'a', 4);
    INSERT INTO batches (store_id, product_id, lot, quantity, expiry_date)
    SELECT 1, 1, 'L' || number, 1500, DATE '2030-01-01' + number FROM generate_series(1, 7) AS number;
    INSERT INTO batches (store_id, product_id, quantity, expiry_date)
    VALUES (1, 1, 1000, '2030-01-01'), (1, 1, 1000, '2030-01-02');
"""


async def test_lots_with_two_dates_are_named_and_keep_the_schema_as_it_was(empty_database_url: str) -> None:
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "0007")
    await execute(empty_database_url, _LOTS)
    second = "INSERT INTO batches (store_id, product_id, lot, quantity, expiry_date) "
    await execute(
        empty_database_url, f"{second} SELECT 1, 1, lot, 0, '2031-01-01' FROM batches WHERE lot <> ''"
    )
    with pytest.raises(Conflict) as refused:
        await asyncio.to_thread(upgrade, empty_database_url)
    message = refused.value.message
    first = (
        "store main, product A, lot L1: 2030-01-02 (batch 1, 1.5 in stock), 2031-01-01 (batch 10, 0 in stock)"
    )
    assert f"here 7 have several: {first}; " in message
    assert "lot L5:" in message
    assert "lot L6:" not in message
    assert "; and 2 more. " in message
    assert "DELETE /api/v1/admin/batches/ID" in message
    assert await fetch(empty_database_url, "SELECT version_num FROM alembic_version") == ["0007"]


async def test_lots_with_one_date_each_are_names_and_dates_without_a_lot_stay_names(
    empty_database_url: str,
) -> None:
    await asyncio.to_thread(alembic, empty_database_url, "upgrade", "0007")
    await execute(empty_database_url, _LOTS)
    await asyncio.to_thread(upgrade, empty_database_url)
    for lot, day in (("L1", "2040-01-01"), ("", "2030-01-01")):
        with pytest.raises(asyncpg.UniqueViolationError, match="uq_batches_name"):
            await execute(
                empty_database_url,
                "INSERT INTO batches (store_id, product_id, lot, quantity, expiry_date) "
                f"VALUES (1, 1, '{lot}', 1, '{day}')",
            )
    await asyncio.to_thread(alembic, empty_database_url, "downgrade", "0007")
    await asyncio.to_thread(upgrade, empty_database_url)
