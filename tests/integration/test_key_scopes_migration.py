"""Keys of the ladder become keys with sets, and go on with what they were allowed."""

import asyncio

import asyncpg
import pytest
from alembic import command
from alembic.config import Config

from flexiprice.db.migrate import upgrade

_MAKE = """
    INSERT INTO api_keys (id, name, scope, secret_hash, created_at)
    SELECT scope, scope, scope::key_scope, sha256(scope::bytea), now()
    FROM unnest(ARRAY['read', 'prices', 'admin']) AS scope
"""


def fetch(url: str, query: str) -> list[tuple[object, ...]]:
    async def ask() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(ask())


@pytest.fixture
def alembic(empty_database_url: str) -> Config:
    """The configuration of plain `alembic` commands, on an empty database."""
    config = Config(toml_file="pyproject.toml")
    config.attributes["database_url"] = empty_database_url
    return config


def test_every_key_keeps_what_it_was_allowed_and_gets_nothing_more_on_the_way_back(
    alembic: Config, empty_database_url: str
) -> None:
    command.upgrade(alembic, "0003")
    fetch(empty_database_url, _MAKE)
    upgrade(empty_database_url)
    assert fetch(empty_database_url, "SELECT name, scopes FROM api_keys ORDER BY name") == [
        ("admin", ["admin"]),
        ("prices", ["read", "prices"]),
        ("read", ["read"]),
    ]
    fetch(
        empty_database_url,
        "INSERT INTO api_keys (id, name, scopes, secret_hash, created_at) "
        "VALUES ('labels', 'labels', ARRAY['labels'], sha256('labels'), now())",
    )
    command.downgrade(alembic, "0003")
    back = "SELECT name, scope::text, revoked_at IS NULL FROM api_keys ORDER BY name"
    assert fetch(empty_database_url, back) == [
        ("admin", "admin", True),
        ("labels", "read", False),
        ("prices", "prices", True),
        ("read", "read", True),
    ]
