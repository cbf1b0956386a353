"""Reads the settings of a command, and runs it with connections to Redis.

Nothing here needs a database, so that commands that read Redis alone start without SQLAlchemy.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from flexiprice.queue.broker import JobBroker, open_job_broker
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.settings import Settings, load_settings
from flexiprice.telemetry import configure_logging_when_used

PROGRAM: Final = "flexiprice-cli"
"""The name that the connections of commands carry on the servers."""

T = TypeVar("T")


def command_settings() -> Settings:
    """Reads the settings and sets up logging, at WARNING unless the settings name a level."""
    settings = load_settings()
    is_configured = "log_level" in settings.model_fields_set
    chosen = settings if is_configured else settings.model_copy(update={"log_level": "WARNING"})

    def configure() -> None:
        from flexiprice.log_config import configure_logging  # noqa: PLC0415 - most commands log nothing

        configure_logging(chosen)

    if is_configured:
        configure()
    else:
        configure_logging_when_used(configure)
    return settings


def with_jobs(settings: Settings, use: Callable[[JobBroker], Coroutine[Any, Any, T]]) -> T:
    """Runs `use` with connections to Redis.

    Raises:
        InvalidSettings: no Redis is configured.
        RedisUnavailable: it does not answer.
    """

    async def run() -> T:
        with redis_errors():
            async with open_job_broker(settings, program=PROGRAM) as broker:
                return await use(broker)

    return asyncio.run(run())
