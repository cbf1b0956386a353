"""Runs a command with connections to PostgreSQL, or to PostgreSQL and Redis, and closes them."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.cli.broker import PROGRAM
from flexiprice.db.engine import database_errors
from flexiprice.db.work import Work
from flexiprice.errors import DatabaseUnavailable
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.resources import Database, Resources, open_database, open_resources
from flexiprice.settings import Settings

T = TypeVar("T")


def with_database(
    settings: Settings, use: Callable[[Database], Coroutine[Any, Any, T]], *, work: Work = Work.WRITE
) -> T:
    """Runs `use` with connections to PostgreSQL, whose transactions are for one kind of work.

    Raises:
        InvalidSettings: no database is configured.
        DatabaseUnavailable: it does not answer.
    """

    async def run() -> T:
        try:
            with database_errors():
                async with open_database(settings, program=PROGRAM, work=work) as database:
                    return await use(database)
        except DatabaseUnavailable as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # The driver reports Ctrl-C during a statement as a lost connection.
                raise asyncio.CancelledError from error
            raise

    return asyncio.run(run())


def in_transaction(
    settings: Settings, use: Callable[[AsyncSession], Coroutine[Any, Any, T]], *, work: Work = Work.WRITE
) -> T:
    """Runs `use` in one transaction, which commits unless `use` raises.

    Raises:
        InvalidSettings: no database is configured.
        DatabaseUnavailable: it does not answer.
    """

    async def run(database: Database) -> T:
        async with database.sessions.begin() as session:
            return await use(session)

    return with_database(settings, run, work=work)


def with_resources(settings: Settings, use: Callable[[Resources], Coroutine[Any, Any, T]]) -> T:
    """Runs `use` with connections to PostgreSQL and to Redis.

    Raises:
        InvalidSettings: one of them is not configured.
        DatabaseUnavailable: PostgreSQL does not answer.
        RedisUnavailable: Redis does not answer.
    """

    async def run() -> T:
        with database_errors(), redis_errors():
            async with open_resources(settings, program=PROGRAM) as resources:
                return await use(resources)

    return asyncio.run(run())
