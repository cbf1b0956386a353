"""Each kind of work has its own time limits, with any account and any pooler."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.db.engine import create_engine
from flexiprice.db.locks import Lock, acquire_sync
from flexiprice.db.migrate import upgrade
from flexiprice.db.work import Work, for_work
from flexiprice.errors import DatabaseBusy
from flexiprice.settings import Settings, load_settings
from tests.support.pooler import pgbouncer
from tests.support.servers import execute

LIMITS = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
DEFAULTS = {
    Work.READ: ("15s", "3s"),
    Work.WRITE: ("30s", "10s"),
    Work.RECOMPUTE: ("1h", "1min"),
    Work.MIGRATION: ("1h", "30s"),
}


async def limits(engine: AsyncEngine, work: Work) -> tuple[str, str]:
    async with for_work(engine, work).begin() as connection:
        return tuple((await connection.execute(text(LIMITS))).one())


async def test_each_kind_of_work_has_limits_of_its_own_on_the_same_connection(settings: Settings) -> None:
    one = settings.model_copy(update={"database_pool_size": 1})
    engine = create_engine(one, application_name="flexiprice-tests")
    assert {work: await limits(engine, work) for work in Work} == DEFAULTS
    await engine.dispose()


async def test_the_limits_hold_behind_a_pooler_in_transaction_mode(
    settings: Settings, tmp_path: Path
) -> None:
    with pgbouncer(settings.require_database_url(), tmp_path / "pooler", sessions=2) as url:
        pooled = load_settings(env_files=(), database_url=url, database_prepared_statements=False)
        engine = create_engine(pooled, application_name="flexiprice-tests")
        for _ in range(3):
            assert {work: await limits(engine, work) for work in Work} == DEFAULTS
        await engine.dispose()


@pytest.fixture
async def hurried(settings: Settings, database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on a database whose administrator has set a short `statement_timeout`."""
    name = database_url.rpartition("/")[2]
    await execute(database_url, f"ALTER DATABASE \"{name}\" SET statement_timeout = '50ms'")
    changed = {"database_read_timeout": timedelta(milliseconds=50), "database_write_timeout": timedelta(0)}
    engine = create_engine(settings.model_copy(update=changed), application_name="flexiprice-tests")
    yield engine
    await engine.dispose()


async def test_an_administrators_statement_timeout_does_not_cut_a_recompute_short(
    hurried: AsyncEngine,
) -> None:
    async with hurried.begin() as connection:
        await connection.execute(text("SELECT pg_sleep(0.2)"))


async def test_zero_is_no_limit(hurried: AsyncEngine) -> None:
    assert (await limits(hurried, Work.WRITE))[0] == "0"


async def test_a_statement_that_takes_too_long_is_busy_and_the_connection_serves_on(
    hurried: AsyncEngine,
) -> None:
    with pytest.raises(DatabaseBusy, match="57014"):
        async with for_work(hurried, Work.READ).begin() as connection:
            await connection.execute(text("SELECT pg_sleep(30)"))
    assert (await limits(hurried, Work.READ))[0] == "50ms"


async def test_a_migration_does_not_wait_long_for_what_another_session_has_locked(
    engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXIPRICE_DATABASE_MIGRATION_LOCK_TIMEOUT", "0.2")
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DatabaseBusy, match="55P03"):
            await asyncio.to_thread(upgrade, database_url)


async def test_a_second_migration_waits_for_the_first_however_short_its_lock_timeout(
    engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXIPRICE_DATABASE_MIGRATION_LOCK_TIMEOUT", "0.05")
    async with engine.connect() as connection:
        await connection.run_sync(acquire_sync, Lock.MIGRATIONS)
        second = asyncio.create_task(asyncio.to_thread(upgrade, database_url))
        # Longer than its lock timeout: it waits on.
        waits = text(
            "SELECT clock_timestamp() - min(waitstart) > interval '200 ms' "
            "FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
        async with engine.connect() as other:
            while not await other.scalar(waits):
                assert not second.done()
                await asyncio.sleep(0.02)
        await connection.rollback()
        await second
