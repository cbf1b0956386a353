"""A database that is away or refuses a client raises the product's own errors."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from flexiprice.db.engine import create_engine, database_errors
from flexiprice.db.migrate import is_current, upgrade
from flexiprice.db.probe import require_tables
from flexiprice.domain.run import RunStatus
from flexiprice.errors import DatabaseBusy, DatabaseUnavailable, InvalidSettings
from flexiprice.runs.recording import RunRecord, mark_runs_lost, record_runs
from flexiprice.settings import Settings, load_settings
from tests.support.servers import execute

RUN = RunRecord(
    run_id=UUID(int=7),
    task="add",
    job_id="job",
    worker_id="somebody",
    attempt=1,
    status=RunStatus.RUNNING,
    started_at=datetime(2026, 3, 1, tzinfo=UTC),
)


async def connect(url: str) -> None:
    engine = create_engine(load_settings(env_files=(), database_url=url), application_name="flexiprice-tests")
    try:
        async with engine.connect():
            pass
    finally:
        await engine.dispose()


async def test_the_connections_carry_the_programs_name(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        name = await connection.scalar(select(func.current_setting("application_name")))
    assert name == "flexiprice-tests"


async def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        await connect("postgresql://somebody:hush@127.0.0.1:1/flexiprice")


async def test_a_wrong_password_is_a_wrong_setting_and_is_not_repeated(postgres_url: str) -> None:
    host = postgres_url.rpartition("@")[2]
    with pytest.raises(InvalidSettings, match="FLEXIPRICE_DATABASE_URL") as refused:
        await connect(f"postgresql://flexiprice:hush@{host}")
    assert "hush" not in str(refused.value)


async def test_a_url_that_cannot_be_read_is_a_wrong_setting() -> None:
    with pytest.raises(InvalidSettings) as refused:
        await connect("postgresql://somebody:hush@127.0.0.1:port/flexiprice")
    assert "hush" not in str(refused.value)


async def test_a_connection_that_ends_is_unavailable_and_the_next_one_works(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(DatabaseUnavailable):
            await connection.execute(select(func.pg_terminate_backend(func.pg_backend_pid())))
    async with engine.connect() as connection:
        assert await connection.scalar(select(1)) == 1


async def test_an_idle_connection_that_the_server_ended_is_replaced_unseen(
    engine: AsyncEngine, postgres_url: str
) -> None:
    async with engine.connect() as connection:
        pid = await connection.scalar(select(func.pg_backend_pid()))
    await execute(postgres_url, f"SELECT pg_terminate_backend({pid}, 5000)")
    async with engine.connect() as connection:
        assert await connection.scalar(select(func.pg_backend_pid())) != pid


async def test_a_pool_without_a_free_connection_is_unavailable(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flexiprice.db.engine._POOL_TIMEOUT_SECONDS", 0.05)
    small = load_settings(env_files=(), database_url=settings.require_database_url(), database_pool_size=1)
    engine = create_engine(small, application_name="flexiprice-tests")
    async with engine.connect():
        with pytest.raises(DatabaseUnavailable, match="busy"), database_errors():
            await engine.connect()
    await engine.dispose()


async def test_parameters_of_other_programs_work_or_are_translated(database_url: str) -> None:
    url = f"{database_url}?schema=public&pgbouncer=true&connect_timeout=10&options=-c%20geqo%3Doff"
    engine = create_engine(load_settings(env_files=(), database_url=url), application_name="flexiprice-tests")
    names = ("search_path", "geqo", "application_name")
    async with engine.connect() as connection:
        found = [await connection.scalar(select(func.current_setting(name))) for name in names]
        prepared = await connection.scalar(
            text("SELECT count(*) FROM pg_prepared_statements WHERE name <> ''")
        )
    await engine.dispose()
    assert found == ["public", "off", "flexiprice-tests"]
    assert prepared == 0


async def test_another_schema_is_migrated_and_used(empty_database_url: str) -> None:
    await execute(empty_database_url, "CREATE SCHEMA shop")
    url = f"{empty_database_url}?schema=shop"
    await asyncio.to_thread(upgrade, url)
    engine = create_engine(load_settings(env_files=(), database_url=url), application_name="flexiprice-tests")
    async with AsyncSession(engine) as session:
        schemas = set(
            await session.scalars(text("SELECT schemaname FROM pg_tables WHERE tablename = 'products'"))
        )
        assert schemas == {"shop"}
        assert await is_current(session)
        await require_tables(session)
    await engine.dispose()


def test_missing_file_of_a_database_url_is_reported_before_connecting() -> None:
    url = "postgresql://somebody:hush@127.0.0.1:1/flexiprice?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"
    with pytest.raises(InvalidSettings, match=r"sslrootcert: there is no file /nowhere/ca\.pem"):
        create_engine(load_settings(env_files=(), database_url=url), application_name="flexiprice-tests")


async def test_statement_prepared_before_a_restore_fails_once_and_is_prepared_anew(
    engine: AsyncEngine, database_url: str
) -> None:
    async def record(connection: AsyncConnection) -> None:
        await mark_runs_lost(AsyncSession(connection), "somebody", now=datetime(2026, 3, 1, tzinfo=UTC))
        await record_runs(AsyncSession(connection), [RUN])

    async with engine.begin() as first, engine.begin() as second:
        await record(first)
        await first.rollback()
        await record(second)
    await execute(database_url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    await asyncio.to_thread(upgrade, database_url)
    with pytest.raises(DatabaseBusy, match="tables were changed"):
        async with engine.begin() as connection:
            await record(connection)
    async with engine.begin() as first, engine.begin() as second:
        await record(first)
        await first.rollback()
        await record(second)
