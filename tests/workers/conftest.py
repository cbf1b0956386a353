"""A worker as arq's command makes it, on the test's own loop."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

import pytest
from arq.worker import Worker

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import TaskArguments
from flexiprice.queue.redis.cancellation import cancelled
from flexiprice.queue.status import JobStatus
from flexiprice.queue.worker.heartbeat import WorkerStatus
from flexiprice.settings import Settings, load_settings
from tests.support import servers
from tests.workers import toy_tasks
from workers.runtime.jobs.task import Task, tasks_in
from workers.runtime.process import WorkerProcess

ROOT = Path(__file__).parents[2]

StartWorker = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="session")
def workers_database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """A database for all workers that leave nothing in it but the history of their runs."""
    with servers.database(postgres_url, servers.unique("workers"), template=template_database) as url:
        yield url


@pytest.fixture
def settings(workers_database_url: str, redis_url: str) -> Settings:
    """The toy tasks have no effects in the database, so it need not be each test's own."""
    return load_settings(env_files=(), database_url=workers_database_url, redis_url=redis_url)


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 120) -> None:
    """Returns when a condition holds; Redis has no other way to tell of it."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


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
        # Again and again, as a worker ends itself.
        await cancelled(main)
        worker.main_task = None
        await worker.close()


@pytest.fixture
def start_worker(settings: Settings) -> Iterator[StartWorker]:
    """Starts the toy worker, or another, by arq's command; what still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(
        module: str = "tests.workers.toy_worker",
        environment: Mapping[str, str] = MappingProxyType({}),
        **overrides: str,
    ) -> subprocess.Popen[str]:
        variables = {
            **os.environ,
            **environment,
            "FLEXIPRICE_DATABASE_URL": settings.require_database_url(),
            "FLEXIPRICE_REDIS_URL": settings.require_redis_url(),
            **{f"FLEXIPRICE_{name.upper()}": value for name, value in overrides.items()},
        }
        worker = subprocess.Popen(
            [sys.executable, "-m", "arq", f"{module}.WorkerSettings"],
            cwd=ROOT,
            env=variables,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.communicate(timeout=120)


async def end_of(worker: subprocess.Popen[str], seconds: float = 120) -> tuple[int, str]:
    """The exit code of a worker, and what it said."""
    _, said = await asyncio.to_thread(worker.communicate, timeout=seconds)
    return worker.returncode, said
