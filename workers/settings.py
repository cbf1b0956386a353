"""Defines the worker for arq's command: `arq workers.settings.WorkerSettings`.

One process ticks the schedules and runs the jobs of every queue. `FLEXIPRICE_WORKER_QUEUES` restricts it
to some queues and their schedules.
"""

import sys
from typing import Any, Final

from flexiprice.errors import InvalidSettings
from flexiprice.log_config import configure_logging, logging_config
from flexiprice.settings import Settings, load_settings
from workers import tasks
from workers.runtime.arq_command import HEALTH_CHECK_SECONDS, is_watching, redis_settings
from workers.runtime.jobs.task import tasks_in
from workers.runtime.process import WorkerProcess


def _settings() -> Settings:
    try:
        settings = load_settings()
        settings.require_database_url()
        settings.require_redis_url()
    except InvalidSettings as error:
        raise SystemExit(f"flexiprice: {error}") from None
    return settings


_SETTINGS: Final = _settings()
_PROCESS: Final = WorkerProcess(_SETTINGS, tasks_in(tasks), watching=is_watching(sys.argv))


async def _start(ctx: dict[Any, Any]) -> None:
    # arq's command configures logging after importing this module, so ours is configured here.
    configure_logging(_SETTINGS)
    await _PROCESS.start(ctx)


# For `arq --custom-log-dict`: arq's own lines have our format from the first.
LOGGING: Final = logging_config(_SETTINGS)


class WorkerSettings:
    """Settings that arq's command reads. arq's worker only ticks schedules; consumers run the jobs."""

    functions = _PROCESS.functions
    cron_jobs = _PROCESS.cron_jobs
    redis_pool = _PROCESS.redis
    # Only `arq --check` reads this; the worker uses the client above.
    redis_settings = redis_settings(_SETTINGS)
    health_check_interval = HEALTH_CHECK_SECONDS
    # Stays empty: ticks are enqueued into the queues of their tasks.
    queue_name = "arq:queue:ticks"
    # Seconds between checks of the schedules; ticks are enqueued at most twice this ahead.
    poll_delay = 1.0
    # arq reads the time through this zone and so uses the clock of Redis.
    timezone = _PROCESS.clock_zone
    on_startup = _start
    on_shutdown = _PROCESS.stop
