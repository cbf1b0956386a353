"""A worker of the toy tasks for arq's command: `arq tests.support.toy_worker.WorkerSettings`."""

from flexiprice.log_config import configure_logging
from flexiprice.settings import load_settings
from tests.support import toy_tasks
from workers.runtime.jobs.task import tasks_in
from workers.runtime.process import WorkerProcess

SETTINGS = load_settings(env_files=())
PROCESS = WorkerProcess(SETTINGS, tasks_in(toy_tasks))


async def start(ctx: dict[object, object]) -> None:
    configure_logging(SETTINGS)
    await PROCESS.start(ctx)


class WorkerSettings:
    functions = PROCESS.functions
    redis_pool = PROCESS.redis
    queue_name = "arq:queue:ticks"
    on_startup = start
    on_shutdown = PROCESS.stop
