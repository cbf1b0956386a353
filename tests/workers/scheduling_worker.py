"""The toy worker, which also ticks the schedules: `arq tests.workers.scheduling_worker.WorkerSettings`."""

from flexiprice.queue.declarations import SCHEDULES, TaskArguments
from flexiprice.settings import load_settings
from flexiprice.telemetry import configure_logging
from tests.workers import toy_tasks
from workers.runtime.jobs.task import Task, TaskContext, tasks_in
from workers.runtime.process import WorkerProcess

SETTINGS = load_settings(env_files=())


async def nothing(_: TaskContext, arguments: TaskArguments) -> dict[str, object]:
    """Stands in for every scheduled task."""
    return arguments.model_dump()


PROCESS = WorkerProcess(
    SETTINGS, (*tasks_in(toy_tasks), *(Task(schedule.task, nothing) for schedule in SCHEDULES))
)


async def start(ctx: dict[object, object]) -> None:
    configure_logging(SETTINGS)
    await PROCESS.start(ctx)


class WorkerSettings:
    functions = PROCESS.functions
    cron_jobs = PROCESS.cron_jobs
    redis_pool = PROCESS.redis
    queue_name = "arq:queue:ticks"
    poll_delay = 1.0
    timezone = PROCESS.clock_zone
    on_startup = start
    on_shutdown = PROCESS.stop
