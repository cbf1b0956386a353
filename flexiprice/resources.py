"""The only place that wires settings to a database engine and to the job broker."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.db.engine import create_engine
from flexiprice.db.work import Work
from flexiprice.errors import RedisUnavailable
from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.broker import open_job_broker
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.settings import Settings

# A program starts without a Redis that is away; it asks no longer than this whether one is there.
_START_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Database:
    """The connections to PostgreSQL."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]


@dataclass(frozen=True, slots=True)
class Resources:
    """The connections and settings of a program, opened at its start and closed at its end."""

    settings: Settings
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    redis: ArqRedis
    tasks: TaskQueue


@asynccontextmanager
async def open_database(
    settings: Settings, *, program: str, work: Work = Work.WRITE
) -> AsyncGenerator[Database]:
    """Opens only what leads to PostgreSQL, for a program that needs no Redis.

    Args:
        settings: where the server is, and how long it may take.
        program: the name that the connections carry on the server.
        work: what the program's transactions are for, where it does not say otherwise.

    Raises:
        InvalidSettings: the database's URL is missing.
    """
    engine = create_engine(settings, application_name=program, work=work)
    try:
        yield Database(engine, async_sessionmaker(engine, expire_on_commit=False))
    finally:
        await engine.dispose()


def require_usable_redis(settings: Settings, *, program: str) -> None:
    """Makes sure, before a program serves, that Redis does not refuse it; one that is away is no reason.

    Raises:
        InvalidSettings: Redis refuses the user, or is a cluster or a Sentinel; the message says what to do.
    """

    async def ask() -> None:
        with suppress(RedisUnavailable, TimeoutError):
            async with (
                asyncio.timeout(_START_SECONDS),
                open_job_broker(settings, program=program) as broker,
            ):
                with redis_errors():
                    await broker.redis.ping()

    # Servers load an application on a loop that runs already.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, ask()).result()


@asynccontextmanager
async def open_resources(
    settings: Settings, *, program: str, work: Work = Work.WRITE
) -> AsyncGenerator[Resources]:
    """Opens the connections that the settings name; both connect on first use.

    Args:
        settings: where the servers are.
        program: the name that the connections carry on the servers, such as `flexiprice-api`.
        work: as in `open_database`.

    Raises:
        InvalidSettings: a URL is missing.
    """
    async with (
        open_database(settings, program=program, work=work) as database,
        open_job_broker(settings, program=program) as broker,
    ):
        yield Resources(settings, database.engine, database.sessions, broker.redis, broker.tasks)
