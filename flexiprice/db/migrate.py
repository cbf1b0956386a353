"""Migrates a database to the schema of this version of FlexiPrice."""

from __future__ import annotations

from functools import cache
from threading import Lock
from typing import TYPE_CHECKING

from sqlalchemy import String, column, func, select, table
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.errors import Conflict

# Alembic is imported lazily: most commands do not need it, and it takes an eighth of a second.
if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPTS = "flexiprice.db:migrations"
# Alembic keeps its context in a global, so threads need a lock. Processes use a lock in the database.
_UPGRADE_LOCK = Lock()


def upgrade(database_url: str) -> None:
    """Runs all pending migrations in one transaction and creates missing partitions.

    A concurrent upgrade waits, then finds nothing to do. Do not call it in a thread that runs an event loop.

    Args:
        database_url: as in `FLEXIPRICE_DATABASE_URL`.

    Raises:
        Conflict: another version of FlexiPrice migrated the database to a schema unknown to this one.
        DatabaseUnavailable: PostgreSQL does not respond.
        InvalidSettings: the URL cannot be used.
    """
    from alembic import command  # noqa: PLC0415
    from alembic.script.revision import ResolutionError  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = _config()
    config.attributes["database_url"] = database_url
    config.attributes["upgrade"] = True
    with _UPGRADE_LOCK:
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            if not isinstance(error.__cause__, ResolutionError):
                raise
            raise Conflict(
                f"the database has schema {error.__cause__.argument}, which this version of FlexiPrice does "
                "not know: install the version that made it, or use an empty database",
                schema=error.__cause__.argument,
            ) from None


async def is_current(session: AsyncSession) -> bool:
    """Whether the database has exactly the schema of this version of FlexiPrice."""
    if await session.scalar(select(func.to_regclass("alembic_version"))) is None:
        return False
    revision = column("version_num", String)
    return await session.scalar(select(revision).select_from(table("alembic_version"))) == head_revision()


@cache
def head_revision() -> str:
    """Returns the revision after `upgrade`."""
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
