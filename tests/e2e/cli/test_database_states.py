"""Commands answer in one sentence where the database is empty, full of clients or read-only."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from click.testing import Result

from flexiprice.settings import Settings, load_settings
from tests.support import servers
from tests.support.servers import execute

Command = Callable[..., Result]
READS_OR_WRITES = [
    ("prices",),
    ("history", "BREAD"),
    ("policy", "show"),
    ("policy", "list"),
    ("policy", "activate", "1"),
    ("policy", "rollback"),
    ("recompute", "--dry-run"),
    ("runs",),
    ("stats",),
    ("audit",),
    ("keys", "list"),
    ("keys", "create", "till", "--scope", "read"),
    ("keys", "revoke", "till"),
    ("purge", "--queue", "discounts", "--yes"),
    ("pause-queue", "discounts"),
    ("schedule", "pause", "cleanup_expired_discounts"),
    ("import", "stock.csv"),
]


@pytest.fixture
def empty(empty_database_url: str, redis_url: str) -> Settings:
    return load_settings(env_files=(), database_url=empty_database_url, redis_url=redis_url)


@pytest.mark.parametrize("words", READS_OR_WRITES, ids=" ".join)
def test_an_empty_database_is_answered_with_the_command_that_fills_it(
    empty: Settings, command: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("FLEXIPRICE_DATABASE_URL", empty.require_database_url())
    stock = "sku,name,category,base_price,quantity,expiry_date\nA,A,A,1.00,1,2030-01-01\n"
    Path("stock.csv").write_text(stock)
    result = command(*words)
    said = str(result.exception) + result.output
    assert result.exit_code == 1, result.output
    assert "flexiprice migrate" in said, said
    assert "Unexpected" not in said


async def test_doctor_reports_a_server_that_takes_no_writes(
    database_url: str, redis_url: str, command: Command
) -> None:
    name = database_url.rpartition("/")[2]
    await execute(database_url, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')

    result = await asyncio.to_thread(command, "doctor")
    assert result.exit_code == 1, result.output
    assert "✓ database" in result.output
    assert "✗ writes     PostgreSQL is read-only" in result.output
    assert "primary" in result.output


async def test_too_many_clients_is_no_reason_to_start_postgresql(
    database_url: str, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = servers.unique("limited")
    await execute(
        database_url,
        f"DROP ROLE IF EXISTS {account}",
        f"CREATE ROLE {account} LOGIN PASSWORD 'limited' CONNECTION LIMIT 1",
    )
    host = database_url.rpartition("@")[2]
    url = f"postgresql://{account}:limited@{host}"
    monkeypatch.setenv("FLEXIPRICE_DATABASE_URL", url)
    held = await asyncpg.connect(url)
    try:
        result = await asyncio.to_thread(command, "doctor")
    finally:
        await held.close()
        await execute(database_url, f"DROP ROLE {account}")
    assert "no connection left for us (53300)" in result.output
    assert "max_connections" in result.output
    assert "start PostgreSQL" not in result.output
