"""Settings of test workers for arq's command, around a process of their own."""

from typing import Any

from flexiprice.log_config import configure_logging
from flexiprice.settings import Settings
from workers.runtime.process import WorkerProcess


def worker_settings(settings: Settings, process: WorkerProcess, **differences: object) -> type:
    """Returns the class that arq's command reads, as `workers.settings` has it.

    Args:
        settings: those of the process.
        process: that runs inside the worker.
        **differences: other attributes of the class, such as `poll_delay`.
    """

    async def start(ctx: dict[Any, Any]) -> None:
        configure_logging(settings)
        await process.start(ctx)

    attributes = {
        "functions": process.functions,
        "cron_jobs": process.cron_jobs,
        "redis_pool": process.redis,
        "queue_name": "arq:queue:ticks",
        "poll_delay": 1.0,
        "timezone": process.clock_zone,
        "on_startup": start,
        "on_shutdown": process.stop,
    }
    return type("WorkerSettings", (), attributes | differences)
