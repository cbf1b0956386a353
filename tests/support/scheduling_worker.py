"""The toy worker, which also ticks the schedules: `arq tests.support.scheduling_worker.WorkerSettings`."""

from flexiprice.queue.declarations import SCHEDULES, TaskArguments
from flexiprice.settings import load_settings
from tests.support import toy_tasks
from tests.support.worker_settings import worker_settings
from workers.runtime.jobs.task import Task, TaskContext, tasks_in
from workers.runtime.process import WorkerProcess

SETTINGS = load_settings(env_files=())


async def nothing(_: TaskContext, arguments: TaskArguments) -> dict[str, object]:
    """Stands in for every scheduled task."""
    return arguments.model_dump()


PROCESS = WorkerProcess(
    SETTINGS, (*tasks_in(toy_tasks), *(Task(schedule.task, nothing) for schedule in SCHEDULES))
)
WorkerSettings = worker_settings(SETTINGS, PROCESS)
