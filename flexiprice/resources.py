"""Opens the database engine, the Redis pool and the task queue from the settings.

No other module makes them.
"""

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

# Time limit of the check at start; a program also starts while Redis is unavailable.
_CHECK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Database:
    """The database engine and its session factory."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]


@dataclass(frozen=True, slots=True)
class JobBroker:
    """The Redis client and the task queue on it."""

    redis: ArqRedis
    tasks: TaskQueue


@dataclass(frozen=True, slots=True)
class Resources:
    """The connections of a program, opened at its start and closed at its end."""

    settings: Settings
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    redis: ArqRedis
    tasks: TaskQueue


@asynccontextmanager
async def open_database(
    settings: Settings, *, program: str, work: Work = Work.WRITE
) -> AsyncGenerator[Database]:
    """Opens only PostgreSQL, for a program that needs no Redis.

    Args:
        settings: URL and timeouts of the server.
        program: name of the connections on the server.
        work: default kind of the program's transactions.

    Raises:
        InvalidSettings: the database's URL is missing.
    """
    engine = create_engine(settings, application_name=program, work=work)
    try:
        yield Database(engine, async_sessionmaker(engine, expire_on_commit=False))
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_job_broker(settings: Settings, *, program: str) -> AsyncGenerator[JobBroker]:
    """Opens only Redis, for a program that needs no database.

    Raises:
        InvalidSettings: the URL of Redis is missing.
    """
    redis = create_redis(settings, client_name=program)
    tasks = TaskQueue(redis, settings)
    try:
        yield JobBroker(redis, tasks)
    finally:
        await tasks.aclose()
        await redis.aclose(close_connection_pool=True)


def require_usable_redis(settings: Settings, *, program: str) -> None:
    """Checks at a program's start that Redis accepts the configured user. An unavailable Redis passes.

    Raises:
        InvalidSettings: Redis rejects the user, or is a cluster or a Sentinel; the message has the remedy.
    """

    async def ping() -> None:
        with suppress(RedisUnavailable, TimeoutError):
            async with (
                asyncio.timeout(_CHECK_SECONDS),
                open_job_broker(settings, program=program) as broker,
            ):
                with redis_errors():
                    await broker.redis.ping()

    # Servers load an application inside a running event loop, so this needs another thread.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, ping()).result()


@asynccontextmanager
async def open_resources(
    settings: Settings, *, program: str, work: Work = Work.WRITE
) -> AsyncGenerator[Resources]:
    """Opens PostgreSQL and Redis; both connect on first use.

    Args:
        settings: URLs and timeouts of the servers.
        program: name of the connections on the servers, such as `flexiprice-api`.
        work: default kind of the program's transactions.

    Raises:
        InvalidSettings: a URL is missing.
    """
    async with (
        open_database(settings, program=program, work=work) as database,
        open_job_broker(settings, program=program) as broker,
    ):
        yield Resources(settings, database.engine, database.sessions, broker.redis, broker.tasks)
