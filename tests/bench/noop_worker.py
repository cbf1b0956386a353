"""A worker with everything that surrounds a task, and a task that does nothing."""

from datetime import UTC

from flexiprice.queue.declarations import NoArguments, TaskDeclaration
from flexiprice.settings import Queue, load_settings
from flexiprice.telemetry import configure_logging
from workers.runtime.jobs.task import TaskContext, task
from workers.runtime.process import WorkerProcess

NOOP = TaskDeclaration(name="noop", queue=Queue.DISCOUNTS, arguments=NoArguments)


@task(NOOP)
async def noop(_: TaskContext, __: NoArguments) -> None:
    """Does nothing."""


_SETTINGS = load_settings(env_files=())
_PROCESS = WorkerProcess(_SETTINGS, [noop])


async def start(ctx: dict[object, object]) -> None:
    """As every worker starts."""
    configure_logging(_SETTINGS)
    await _PROCESS.start(ctx)


class WorkerSettings:
    """What arq's command reads."""

    functions = _PROCESS.functions
    cron_jobs = _PROCESS.cron_jobs
    redis_pool = _PROCESS.redis
    queue_name = "arq:queue:ticks"
    poll_delay = 1.0
    timezone = UTC
    on_startup = start
    on_shutdown = _PROCESS.stop
