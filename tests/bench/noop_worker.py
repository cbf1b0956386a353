"""A worker with everything that surrounds a task, and a task that does nothing."""

from datetime import UTC

from flexiprice.queue.declarations import NoArguments, TaskDeclaration
from flexiprice.settings import Queue, load_settings
from tests.support.worker_settings import worker_settings
from workers.runtime.jobs.task import TaskContext, task
from workers.runtime.process import WorkerProcess

NOOP = TaskDeclaration(name="noop", queue=Queue.DISCOUNTS, arguments=NoArguments)


@task(NOOP)
async def noop(_: TaskContext, __: NoArguments) -> None:
    """Does nothing."""


_SETTINGS = load_settings(env_files=())
_PROCESS = WorkerProcess(_SETTINGS, [noop])
WorkerSettings = worker_settings(_SETTINGS, _PROCESS, timezone=UTC)
