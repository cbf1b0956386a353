"""Workers under test, and conditions of jobs and workers to wait for."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from arq.worker import Worker

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import TaskArguments
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.status import JobStatus
from flexiprice.queue.worker.heartbeat import WorkerStatus
from flexiprice.settings import Settings
from tests.support import toy_tasks
from tests.support.waiting import until
from workers.runtime.jobs.task import Task, tasks_in
from workers.runtime.process import WorkerProcess

StartWorker = Callable[..., subprocess.Popen[str]]


async def until_running(queue: TaskQueue, *job_ids: str) -> None:
    """Returns when workers have begun jobs."""
    for job_id in job_ids:

        async def runs(job_id: str = job_id) -> bool:
            return (await queue.status(job_id)).status is JobStatus.RUNNING

        await until(runs)


async def until_live(queue: TaskQueue, workers: int = 1) -> None:
    """Returns when so many workers have announced themselves."""

    async def live() -> bool:
        return len(await queue.live_workers()) >= workers

    await until(live)


async def until_draining(queue: TaskQueue) -> None:
    """Returns when the only worker says that it takes no more jobs."""

    async def draining() -> bool:
        return [worker.status for worker in await queue.live_workers()] == [WorkerStatus.DRAINING]

    await until(draining)


@asynccontextmanager
async def running(
    settings: Settings, tasks: Iterable[Task[TaskArguments]] = ()
) -> AsyncIterator[WorkerProcess]:
    """A worker of the toy tasks, or of those given, that is stopped at the end."""
    process = WorkerProcess(settings, tuple(tasks) or tasks_in(toy_tasks))
    started = asyncio.Event()

    async def start(ctx: dict[object, object]) -> None:
        await process.start(ctx)
        started.set()

    worker = Worker(
        functions=process.functions,
        cron_jobs=process.cron_jobs,
        redis_pool=process.redis,
        queue_name="arq:queue:ticks",
        poll_delay=1.0,
        timezone=process.clock_zone,
        on_startup=start,
        on_shutdown=process.stop,
        handle_signals=False,
    )
    main = asyncio.create_task(worker.async_run())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait([main, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if main.done():
        main.result()
    try:
        yield process
    finally:
        # Repeatedly, as a worker cancels its own tasks.
        await cancel_and_wait(main)
        worker.main_task = None
        await worker.close()


async def end_of(worker: subprocess.Popen[str], seconds: float = 120) -> tuple[int, str]:
    """The exit code of a worker, and its output."""
    _, said = await asyncio.to_thread(worker.communicate, timeout=seconds)
    return worker.returncode, said
