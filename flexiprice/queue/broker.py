"""The only place that wires settings to a Redis pool and the task queue on it.

It needs no database: commands that read Redis alone start without SQLAlchemy.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.connection import create_redis
from flexiprice.settings import Settings


@dataclass(frozen=True, slots=True)
class JobBroker:
    """The connections to Redis, and the task queue on them."""

    redis: ArqRedis
    tasks: TaskQueue


@asynccontextmanager
async def open_job_broker(settings: Settings, *, program: str) -> AsyncGenerator[JobBroker]:
    """Opens the connections to Redis alone, for a program that needs no database.

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
