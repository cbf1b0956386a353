"""Kinds of database work, with their statement and lock timeouts.

The timeouts are sent with the `BEGIN` of a transaction, as `SET LOCAL`. They cost no round trip, work behind
a pooler in transaction mode, and override a `statement_timeout` of the account or the database.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, cast

# The driver has annotations, but no `py.typed`.
import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from sqlalchemy import Connection
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.settings import Settings

_OPTION: Final = "flexiprice_work"


class Work(StrEnum):
    """The kind of a transaction."""

    READ = "read"
    """An interactive read: a client waits."""
    WRITE = "write"
    """A change of a few rows."""
    RECOMPUTE = "recompute"
    """Work on whole tables: recomputes, cleanup, price history, imports, previews."""
    MIGRATION = "migration"
    """A change of the schema."""


class LimitedConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection whose transactions begin with timeouts.

    Attributes:
        limits: SQL that is sent with the next `BEGIN`.
    """

    limits: str = ""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109 -- as its base class has it
        """Executes a query; adds the limits to a `BEGIN`."""
        if self.limits and query.startswith("BEGIN"):
            # Only once: the pool's ping before the next transaction begins one that needs no limits.
            query, self.limits = f"{query}{self.limits}", ""
        return await super().execute(query, *args, timeout=timeout)


def limits_of(settings: Settings) -> Mapping[Work, str]:
    """Returns the statements that set the timeouts of a transaction, by its kind."""
    pairs = {
        Work.READ: (settings.database_read_timeout, settings.database_read_lock_timeout),
        Work.WRITE: (settings.database_write_timeout, settings.database_write_lock_timeout),
        Work.RECOMPUTE: (settings.database_recompute_timeout, settings.database_recompute_lock_timeout),
        Work.MIGRATION: (settings.database_migration_timeout, settings.database_migration_lock_timeout),
    }
    return {work: _limits(statement, lock) for work, (statement, lock) in pairs.items()}


def limit_transactions(engine: AsyncEngine, settings: Settings) -> AsyncEngine:
    """Sets timeouts on every transaction of the engine by its kind of work; see `for_work`."""
    limits = limits_of(settings)

    def begin(connection: Connection) -> None:
        driver = cast("LimitedConnection", connection.connection.driver_connection)
        driver.limits = limits[connection.get_execution_options()[_OPTION]]

    listen(engine.sync_engine, "begin", begin)
    return engine


def for_work(engine: AsyncEngine, work: Work) -> AsyncEngine:
    """Returns the engine for another kind of work; it shares the connection pool."""
    return engine.execution_options(**{_OPTION: work})


def _limits(statement: timedelta, lock: timedelta) -> str:
    # SET accepts literals only; these are trusted numbers.
    limits = {"statement_timeout": statement, "lock_timeout": lock}
    return "".join(f"SET LOCAL {name} = {_milliseconds(limit)};" for name, limit in limits.items())


def _milliseconds(limit: timedelta) -> int:
    return round(limit.total_seconds() * 1000)
