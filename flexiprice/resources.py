"""The only place that wires settings to a database engine, a Redis pool and the task queue."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from arq.connections import ArqRedis
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.db.engine import create_engine
from flexiprice.db.work import Work
from flexiprice.jobs.client import TaskQueue
from flexiprice.jobs.redis import create_redis
from flexiprice.settings import Settings


@dataclass(frozen=True, slots=True)
class Database:
    """The way to PostgreSQL."""

    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]


@dataclass(frozen=True, slots=True)
class JobBroker:
    """The way to Redis, and the task queue on it."""

    redis: ArqRedis
    tasks: TaskQueue


@dataclass(frozen=True, slots=True)
class Resources:
    """What a program of ours works with, opened once at its door and closed with it."""

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


@asynccontextmanager
async def open_job_broker(settings: Settings, *, program: str) -> AsyncGenerator[JobBroker]:
    """Opens only what leads to Redis, for a program that needs no database.

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
