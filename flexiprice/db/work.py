"""Kinds of database work, and how long PostgreSQL may take over a statement of each.

The limits travel with the statement that begins a transaction, as `SET LOCAL`: they cost no round trip, they
hold behind a pooler in transaction mode, and a `statement_timeout` of the account or the database does not
cut a recompute short.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, cast

# The driver has annotations, but no mark that says so.
import asyncpg  # pyright: ignore[reportMissingTypeStubs]
from sqlalchemy import Connection
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.settings import Settings

_OPTION: Final = "flexiprice_work"


class Work(StrEnum):
    """What a transaction is for."""

    READ = "read"
    """Somebody waits for an answer."""
    WRITE = "write"
    """A few rows change."""
    RECOMPUTE = "recompute"
    """Whole tables are gone through: recomputes, clean-up, price history, imports, previews."""
    MIGRATION = "migration"
    """Tables change."""


class LimitedConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection whose transactions begin with limits.

    Attributes:
        limits: what is executed together with the next `BEGIN`.
    """

    limits: str = ""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> Any:  # noqa: ANN401, ASYNC109 -- as its base class has it
        """As its base class has it; a transaction's first statement brings the limits along."""
        if self.limits and query.startswith("BEGIN"):
            # Once: the pool's ping, which comes before the next transaction, begins one that needs none.
            query, self.limits = f"{query}{self.limits}", ""
        return await super().execute(query, *args, timeout=timeout)


def limits_of(settings: Settings) -> Mapping[Work, str]:
    """The statements that limit a transaction, by what it is for."""
    pairs = {
        Work.READ: (settings.database_read_timeout, settings.database_read_lock_timeout),
        Work.WRITE: (settings.database_write_timeout, settings.database_write_lock_timeout),
        Work.RECOMPUTE: (settings.database_recompute_timeout, settings.database_recompute_lock_timeout),
        Work.MIGRATION: (settings.database_migration_timeout, settings.database_migration_lock_timeout),
    }
    return {work: _limits(statement, lock) for work, (statement, lock) in pairs.items()}


def limit_transactions(engine: AsyncEngine, settings: Settings) -> AsyncEngine:
    """Has every transaction of the engine limited as its work asks; see `for_work`."""
    limits = limits_of(settings)

    def begin(connection: Connection) -> None:
        driver = cast("LimitedConnection", connection.connection.driver_connection)
        driver.limits = limits[connection.get_execution_options()[_OPTION]]

    listen(engine.sync_engine, "begin", begin)
    return engine


def for_work(engine: AsyncEngine, work: Work) -> AsyncEngine:
    """The same engine, with the same connections, whose transactions are for another kind of work."""
    return engine.execution_options(**{_OPTION: work})


def _limits(statement: timedelta, lock: timedelta) -> str:
    # Numbers of our own, which SET takes as literals only.
    limits = {"statement_timeout": statement, "lock_timeout": lock}
    return "".join(f"SET LOCAL {name} = {_milliseconds(limit)};" for name, limit in limits.items())


def _milliseconds(limit: timedelta) -> int:
    return round(limit.total_seconds() * 1000)
