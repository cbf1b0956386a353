"""The worker, for arq's own command: `arq workers.settings.WorkerSettings`.

One process ticks the schedules and runs the jobs of every queue; `FLEXIPRICE_WORKER_QUEUES` narrows it
to some queues and their schedules.
"""

import sys
from typing import Any, Final

from flexiprice.errors import InvalidSettings
from flexiprice.settings import Settings, load_settings
from flexiprice.telemetry import configure_logging, logging_config
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
    # Only now: arq's command sets up logging after it has read this module.
    configure_logging(_SETTINGS)
    await _PROCESS.start(ctx)


# For `arq --custom-log-dict`, so that arq's own lines look like ours from the first.
LOGGING: Final = logging_config(_SETTINGS)


class WorkerSettings:
    """What arq's command reads. The worker it makes only ticks; consumers beside it run the jobs."""

    functions = _PROCESS.functions
    cron_jobs = _PROCESS.cron_jobs
    redis_pool = _PROCESS.redis
    # Only `arq --check` reads this; the worker uses the client above.
    redis_settings = redis_settings(_SETTINGS)
    health_check_interval = HEALTH_CHECK_SECONDS
    # Nothing is ever enqueued here: ticks go to the queues of their tasks.
    queue_name = "arq:queue:ticks"
    # Schedules are looked at so often (s), and ticks enqueued at most twice this ahead.
    poll_delay = 1.0
    # arq asks for the time here, and hears that of Redis.
    timezone = _PROCESS.clock_zone
    on_startup = _start
    on_shutdown = _PROCESS.stop
