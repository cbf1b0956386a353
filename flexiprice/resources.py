"""The only place that wires settings to a database engine, a Redis pool and the task queue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from arq.connections import ArqRedis
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.db.engine import create_engine
from flexiprice.jobs.client import TaskQueue
from flexiprice.jobs.redis import create_redis
from flexiprice.settings import Settings


@dataclass(frozen=True, slots=True)
class Resources:
    """What a program of ours works with, opened once at its door and closed with it."""

    settings: Settings
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    redis: ArqRedis
    tasks: TaskQueue


@asynccontextmanager
async def open_resources(settings: Settings, *, program: str) -> AsyncIterator[Resources]:
    """Opens the connections that the settings name; both connect on first use.

    Args:
        settings: where the servers are.
        program: the name that the connections carry on the servers, such as `flexiprice-api`.

    Raises:
        InvalidSettings: a URL is missing.
    """
    engine = create_engine(settings, application_name=program)
    redis = create_redis(settings, client_name=program)
    tasks = TaskQueue(redis, settings)
    try:
        sessions = async_sessionmaker(engine, expire_on_commit=False)
        yield Resources(settings, engine, sessions, redis, tasks)
    finally:
        await tasks.aclose()
        await redis.aclose(close_connection_pool=True)
        await engine.dispose()
