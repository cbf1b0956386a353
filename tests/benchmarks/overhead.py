"""What everything that surrounds a task costs: against plain arq, and against Celery where it is installed.

`python -m tests.benchmarks.overhead [--rounds 7] [--jobs 5000]`. Each contender drains the same number of
jobs that do nothing, enqueued before its worker starts; the clock runs from the first job's end to the
last one's. Then jobs are enqueued one by one, and their results are waited for.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import psutil
from arq import create_pool
from arq.connections import RedisSettings
from arq.constants import default_queue_name
from redis import Redis
from rich.console import Console
from rich.table import Table

from flexiprice.db.migrate import upgrade
from flexiprice.embedded.servers import ServerUrls, embedded_servers
from flexiprice.jobs import keys
from flexiprice.jobs.client import TaskQueue
from flexiprice.jobs.redis import create_redis
from flexiprice.settings import load_settings

OURS, PLAIN, CELERY = "FlexiPrice", "arq, poll 10 ms", "Celery prefork"
MOST_OF_PLAIN: Final = 1.5
MOST_OF_CELERY: Final = 0.8
MOST_IDLE: Final = 0.01
_ROOT: Final = Path(__file__).parents[2]
_LATENCIES: Final = 40
_PATIENCE_SECONDS: Final = 180
_LOOK_SECONDS: Final = 0.001


class Contender(ABC):
    """A way to run jobs, on an empty Redis of its own."""

    name: str
    command: tuple[str, ...]

    def __init__(self, urls: ServerUrls) -> None:
        self.urls = urls
        self.redis = Redis.from_url(urls.redis_url)

    @abstractmethod
    def enqueue(self, count: int) -> list[str]:
        """Enqueues jobs; returns the keys of their results."""

    @abstractmethod
    def left(self, count: int) -> int:
        """How many of so many jobs have not ended."""

    def await_first(self, count: int) -> None:
        """Returns when the first of so many jobs has ended."""
        self._until(lambda: self.left(count) < count)

    def await_all(self, count: int) -> None:
        """Returns when all jobs have ended."""
        self._until(lambda: self.left(count) == 0)

    def latency(self) -> float:
        """Seconds from enqueueing to a visible result."""
        began = time.perf_counter()
        (result,) = self.enqueue(1)
        while not self.redis.exists(result):
            time.sleep(_LOOK_SECONDS / 2)
        return time.perf_counter() - began

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} did not get on")
            time.sleep(_LOOK_SECONDS)

    @contextmanager
    def worker(self) -> Generator[psutil.Process]:
        """Its worker, for as long as the context lasts."""
        environment = {
            **os.environ,
            "FLEXIPRICE_DATABASE_URL": self.urls.database_url,
            "FLEXIPRICE_REDIS_URL": self.urls.redis_url,
            "FLEXIPRICE_LOG_LEVEL": "WARNING",
            # A fresh process for every thousand jobs is no part of what is compared.
            "FLEXIPRICE_WORKER_MAX_TASKS": "0",
        }
        program = subprocess.Popen(
            [sys.executable, "-m", *self.command],
            cwd=_ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield psutil.Process(program.pid)
        finally:
            program.terminate()
            try:
                program.wait(60)
            finally:
                program.kill()


class _ByArq(Contender):
    queue: str

    def __init__(self, urls: ServerUrls) -> None:
        super().__init__(urls)
        self._runner = asyncio.Runner()

    def left(self, _: int) -> int:
        return int(self.redis.zcard(self.queue))

    def enqueue(self, count: int) -> list[str]:
        return [keys.result_key(job_id) for job_id in self._runner.run(self._enqueue(count))]

    @abstractmethod
    async def _enqueue(self, count: int) -> list[str]: ...


class Ours(_ByArq):
    """FlexiPrice's worker, with everything on."""

    name = OURS
    command = ("arq", "tests.benchmarks.noop_worker.WorkerSettings")

    def __init__(self, urls: ServerUrls) -> None:
        super().__init__(urls)
        os.environ["FLEXIPRICE_DATABASE_URL"] = urls.database_url
        os.environ["FLEXIPRICE_REDIS_URL"] = urls.redis_url
        settings = load_settings(env_files=())
        self._task = import_module("tests.benchmarks.noop_worker").NOOP
        self.queue = keys.queue_key(self._task.queue)
        self._tasks = TaskQueue(create_redis(settings, client_name="benchmark"), settings)

    async def _enqueue(self, count: int) -> list[str]:
        return [(await self._tasks.enqueue(self._task)).job_id for _ in range(count)]


class Plain(_ByArq):
    """arq's own worker."""

    name = PLAIN
    command = ("arq", "tests.benchmarks.plain_noop.WorkerSettings")
    queue = default_queue_name

    def __init__(self, urls: ServerUrls) -> None:
        super().__init__(urls)
        self._pool = self._runner.run(create_pool(RedisSettings.from_dsn(urls.redis_url)))

    async def _enqueue(self, count: int) -> list[str]:
        jobs = [await self._pool.enqueue_job("noop") for _ in range(count)]
        return [job.job_id for job in jobs if job is not None]


class Celery(Contender):
    """Celery with one process a core."""

    name = CELERY
    command = (
        *("celery", "-A", "tests.benchmarks.celery_noop", "worker", "--pool", "prefork"),
        *("--concurrency", str(os.cpu_count() or 1), "--loglevel", "WARNING"),
    )

    def __init__(self, urls: ServerUrls) -> None:
        super().__init__(urls)
        os.environ["FLEXIPRICE_REDIS_URL"] = urls.redis_url
        self._noop = import_module("tests.benchmarks.celery_noop").noop

    def enqueue(self, count: int) -> list[str]:
        return [f"celery-task-meta-{self._noop.delay().id}" for _ in range(count)]

    def left(self, count: int) -> int:
        waiting = int(self.redis.llen("celery")) + int(self.redis.hlen("unacked"))
        # To count the results is slow, so only when none can be far.
        return waiting or count - sum(1 for _ in self.redis.scan_iter("celery-task-meta-*", count=20_000))


def drain_seconds(contender: Contender, jobs: int) -> float:
    """How long a worker takes from the first of so many jobs to the last."""
    contender.redis.flushdb()
    contender.enqueue(jobs)
    with contender.worker():
        contender.await_first(jobs)
        began = time.perf_counter()
        contender.await_all(jobs)
        return time.perf_counter() - began


def latencies(contender: Contender) -> list[float]:
    """Seconds to a visible result, one job after the other."""
    contender.redis.flushdb()
    with contender.worker():
        for _ in range(5):
            contender.latency()
        found = []
        for _ in range(_LATENCIES):
            time.sleep(0.02)
            found.append(contender.latency())
        return found


def idle_share(contender: Contender, seconds: float) -> float:
    """The part of one core that an idle worker uses."""
    contender.redis.flushdb()
    with contender.worker() as worker:
        contender.latency()
        time.sleep(2)
        before = worker.cpu_times()
        time.sleep(seconds)
        after = worker.cpu_times()
    return (after.user + after.system - before.user - before.system) / seconds


def run(*, rounds: int = 7, jobs: int = 5000, idle_seconds: float = 60) -> bool:
    """Measures and prints; returns whether every limit holds."""
    console = Console()
    drains: dict[str, list[float]] = defaultdict(list)
    waits: dict[str, list[float]] = defaultdict(list)
    with (
        TemporaryDirectory(prefix="flexiprice-bench-") as scratch,
        embedded_servers(Path(scratch), durable=False) as urls,
        console.status("overhead") as status,
    ):
        upgrade(urls.database_url)
        kinds = [Ours, Plain, *([Celery] if find_spec("celery") else [])]
        contenders = [kind(urls) for kind in kinds]
        for number in range(rounds):
            for contender in contenders:
                status.update(f"overhead, round {number + 1} of {rounds}: {contender.name}")
                drains[contender.name].append(drain_seconds(contender, jobs))
                waits[contender.name].extend(latencies(contender))
        status.update("idle")
        idle = idle_share(contenders[0], idle_seconds)
    table = Table("", f"{jobs:,} jobs, s", "jobs/s", "to the result, ms", title=f"medians of {rounds} rounds")
    for name, seconds in drains.items():
        took = median(seconds)
        table.add_row(name, f"{took:.2f}", f"{jobs / took:,.0f}", f"{median(waits[name]) * 1000:.1f}")
    console.print(table)
    return all(
        _tell(console, what, value, most)
        for what, value, most in [
            ("draining, of what plain arq takes", _ratio(drains, PLAIN), MOST_OF_PLAIN),
            ("draining, of what Celery takes", _ratio(drains, CELERY), MOST_OF_CELERY),
            ("to the result, of what Celery takes", _ratio(waits, CELERY), 1.0),
            ("of a core, idle", idle, MOST_IDLE),
        ]
    )


def _ratio(found: dict[str, list[float]], other: str) -> float | None:
    return median(found[OURS]) / median(found[other]) if other in found else None


def _tell(console: Console, what: str, value: float | None, most: float) -> bool:
    if value is None:
        console.print(f"{what}: not measured, Celery is not installed")
        return True
    holds = value <= most
    console.print(f"{what}: {value:.3f} (at most {most}) {'holds' if holds else 'passed'}")
    return holds


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--idle-seconds", type=float, default=60)
    chosen = parser.parse_args()
    holds = run(rounds=chosen.rounds, jobs=chosen.jobs, idle_seconds=chosen.idle_seconds)
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
