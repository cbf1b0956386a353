"""The operations tables come and go by their migration, and leave nothing behind."""

import asyncio

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from flexiprice.db.migrate import upgrade

_OURS = """
    SELECT relname FROM pg_class WHERE relname IN ('task_runs', 'job_receipts', 'workers', 'audit_entries')
    UNION SELECT typname FROM pg_type WHERE typname IN ('run_state', 'run_trigger', 'audit_source')
    UNION SELECT proname FROM pg_proc WHERE proname = 'refuse_audit_edit'
"""


async def ours(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return len(await connection.fetch(_OURS))
    finally:
        await connection.close()


@pytest.fixture
def alembic(empty_database_url: str) -> Config:
    """The configuration of plain `alembic` commands, on an empty database."""
    config = Config(toml_file="pyproject.toml")
    config.attributes["database_url"] = empty_database_url
    return config


def test_the_tables_can_be_made_taken_back_and_made_again(alembic: Config, empty_database_url: str) -> None:
    upgrade(empty_database_url)
    assert asyncio.run(ours(empty_database_url)) == 8
    command.downgrade(alembic, "0001")
    assert asyncio.run(ours(empty_database_url)) == 0
    upgrade(empty_database_url)
    assert asyncio.run(ours(empty_database_url)) == 8
