"""Brings a database to the schema that this version of FlexiPrice needs."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import String, column, func, select, table
from sqlalchemy.ext.asyncio import AsyncSession

# Alembic is imported where it works: most commands ask it nothing, and it takes an eighth of a second.
if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS = "flexiprice.db:migrations"
# Alembic keeps what it works on in a global; programs are kept apart by a lock in the database.
_ONE_AT_A_TIME = Lock()


def upgrade(database_url: str) -> None:
    """Runs all pending migrations in one transaction and makes the partitions that are missing.

    Of two that run at once, the second waits and finds nothing to do. Must not be called where an
    event loop runs; use a thread there.

    Args:
        database_url: as in `FLEXIPRICE_DATABASE_URL`.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer.
        InvalidSettings: the URL cannot be used.
    """
    from alembic import command  # noqa: PLC0415

    config = _config()
    config.attributes["database_url"] = database_url
    config.attributes["upgrade"] = True
    with _ONE_AT_A_TIME:
        command.upgrade(config, "head")


async def is_current(session: AsyncSession) -> bool:
    """Whether the database has exactly the schema that this version of FlexiPrice needs."""
    if await session.scalar(select(func.to_regclass("alembic_version"))) is None:
        return False
    revision = column("version_num", String)
    return await session.scalar(select(revision).select_from(table("alembic_version"))) == head_revision()


@cache
def head_revision() -> str:
    """The revision that `upgrade` leads to."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("the package was built without its migrations")
    return head


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    return config
