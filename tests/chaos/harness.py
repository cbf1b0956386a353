"""The environment of an injected fault: worker processes, their jobs, and the outcome of each job."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import MappingProxyType

import asyncpg

from flexiprice.errors import RedisUnavailable
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import TaskArguments, TaskDeclaration
from flexiprice.queue.redis.connection import create_redis
from flexiprice.queue.status import JobInfo
from flexiprice.settings import Settings, load_settings
from tests.chaos.fault_tasks import EFFECT, TABLES
from tests.chaos.stepped_clock import CLOCK_VARIABLE, SteppedClock

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 40
FAULT_WORKER = "tests.chaos.fault_worker"
_STATUSES_AT_ONCE = 500


class Worker:
    """One worker process."""

    def __init__(self, harness: "Harness", module: str, environment: dict[str, str]) -> None:
        self.log = harness.folder / f"worker-{time.monotonic_ns()}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "arq", f"{module}.WorkerSettings"],
                cwd=_ROOT,
                env={**os.environ, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def kill(self) -> float:
        """Kills it; returns when."""
        killed_at = time.time()
        self.process.kill()
        self.process.wait()
        return killed_at

    def signal(self, signum: signal.Signals) -> float:
        """Sends it a signal; returns when."""
        sent_at = time.time()
        self.process.send_signal(signum)
        return sent_at

    def said(self, text: str) -> int:
        """The number of lines of its log with a text."""
        return sum(text in line for line in self.log.read_text(errors="replace").splitlines())


class Harness:
    """An empty database and Redis, and the means to inject a fault there.

    Attributes:
        settings: name the database and the Redis.
        queue: the producers' side.
        folder: for the workers' logs.
        workers: all that were started, the dead among them.
    """

    def __init__(self, settings: Settings, queue: TaskQueue, folder: Path) -> None:
        self.settings = settings
        self.queue = queue
        self.folder = folder
        self.clock = SteppedClock(folder / "clock")
        self.workers: list[Worker] = []

    async def start_workers(
        self, count: int = 1, *, stepped: bool = False, module: str = FAULT_WORKER, **overrides: str
    ) -> list[Worker]:
        """Starts workers, and returns when they live.

        Args:
            count: how many.
            stepped: they tick by the harness's clock.
            module: what arq's command reads.
            **overrides: settings, or other variables with our prefix.
        """
        workers = [self.start_worker(stepped=stepped, module=module, **overrides) for _ in range(count)]
        await self.until_live(workers)
        return workers

    def start_worker(
        self,
        *,
        stepped: bool = False,
        module: str = FAULT_WORKER,
        environment: Mapping[str, str] = MappingProxyType({}),
        **overrides: str,
    ) -> Worker:
        """Starts one worker, without waiting for it; `environment` holds variables without our prefix."""
        variables = {
            **environment,
            "FLEXIPRICE_DATABASE_URL": self.settings.require_database_url(),
            "FLEXIPRICE_REDIS_URL": self.settings.require_redis_url(),
            "FLEXIPRICE_WORKER_MAX_TASKS": "0",
            "FLEXIPRICE_LOG_FORMAT": "json",
            "FLEXIPRICE_LOG_LEVEL": "WARNING",
            **({CLOCK_VARIABLE: str(self.clock.file)} if stepped else {}),
            **{f"FLEXIPRICE_{name.upper()}": value for name, value in overrides.items()},
        }
        worker = Worker(self, module, variables)
        self.workers.append(worker)
        return worker

    async def until_live(self, workers: Sequence[Worker]) -> None:
        """Returns when workers are known in Redis."""
        pids = {worker.pid for worker in workers}

        async def live() -> bool:
            for worker in workers:
                if not worker.is_alive:
                    raise RuntimeError(f"a worker ended:\n{worker.log.read_text()}")
            return pids <= {worker.pid for worker in await self.queue.live_workers()}

        await until(live, _START_SECONDS)

    async def enqueue(
        self,
        count: int = 1,
        task: TaskDeclaration[TaskArguments] = EFFECT,
        **arguments: float,
    ) -> list[str]:
        """Enqueues jobs; returns their ids."""
        return [(await self.queue.enqueue(task, arguments=arguments)).job_id for _ in range(count)]

    async def query(self, sql: str, *parameters: object) -> list[asyncpg.Record]:
        """Asks the database."""
        connection = await asyncpg.connect(self.settings.require_database_url(), timeout=10)
        try:
            return list(await connection.fetch(sql, *parameters))
        finally:
            await connection.close()

    async def until_started(self, job_ids: Sequence[str]) -> None:
        """Returns when the body of every job has begun."""
        await self._until_noted("fault_starts", job_ids)

    async def until_committed(self, job_ids: Sequence[str]) -> None:
        """Returns when every job has taken effect."""
        await self._until_noted("fault_effects", job_ids)

    async def _until_noted(self, table: str, job_ids: Sequence[str]) -> None:
        async def noted() -> bool:
            found = f"SELECT count(DISTINCT job_id) FROM {table} WHERE job_id = ANY($1)"
            return (await self.query(found, list(job_ids)))[0][0] == len(job_ids)

        await until(noted, _START_SECONDS)

    async def running_on(self, job_ids: Sequence[str]) -> Worker:
        """The worker that has begun most of some jobs."""
        rows = await self.query(
            "SELECT pid FROM fault_starts WHERE job_id = ANY($1) GROUP BY pid ORDER BY count(*) DESC",
            list(job_ids),
        )
        return next(worker for worker in self.workers if worker.pid == rows[0]["pid"])

    async def statuses(self, job_ids: Sequence[str]) -> dict[str, JobInfo]:
        """The status of jobs, in chunks."""
        found: dict[str, JobInfo] = {}
        for first in range(0, len(job_ids), _STATUSES_AT_ONCE):
            found |= await self.queue.find_statuses(job_ids[first : first + _STATUSES_AT_ONCE])
        return found

    async def until_ready(self, job_ids: Sequence[str], seconds: float = 60) -> None:
        """Returns when all jobs have ended, or when the time is over."""
        waiting = list(job_ids)

        async def ready() -> bool:
            statuses = await self.statuses(waiting)
            waiting[:] = [
                job_id for job_id in waiting if job_id not in statuses or not statuses[job_id].ready
            ]
            return not waiting

        with suppress(TimeoutError):
            await until(ready, seconds, every=0.05 if len(job_ids) < 1000 else 0.5)

    def end_workers(self) -> None:
        """Kills whatever still runs."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGCONT)
            worker.process.kill()
            worker.process.wait()


@asynccontextmanager
async def open_harness(database_url: str, redis_url: str, folder: Path) -> AsyncGenerator[Harness]:
    """A harness on migrated servers, emptied of everything from other faults."""
    settings = load_settings(env_files=(), database_url=database_url, redis_url=redis_url)
    redis = create_redis(settings, client_name="flexiprice-faults")
    queue = TaskQueue(redis, settings)
    harness = Harness(settings, queue, folder)
    try:
        await redis.flushdb()
        await harness.query("TRUNCATE workers, job_receipts, task_runs, discounts, price_decisions")
        connection = await asyncpg.connect(database_url)
        await connection.execute(TABLES)
        await connection.close()
        yield harness
    finally:
        harness.end_workers()
        await queue.aclose()
        await redis.aclose(close_connection_pool=True)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float, *, every: float = 0.02) -> None:
    """Returns when a condition holds; servers that are away for now are waited for.

    Raises:
        TimeoutError: it does not hold in time.
    """
    async with asyncio.timeout(seconds):
        while True:
            with suppress(RedisUnavailable, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if await condition():
                    return
            await asyncio.sleep(every)
