"""The overhead of a task, against plain arq, and Celery where pip can install it.

`python -m tests.bench.overhead [--rounds 7] [--jobs 5000]`. Each contender drains the same number of
jobs that do nothing, enqueued before its worker starts; the clock runs from the first job's end to the
last one's. Then jobs are enqueued one by one, and their results are waited for.
"""

import argparse
import asyncio
import os
import sys
import time
from abc import abstractmethod
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from arq import create_pool
from arq.connections import RedisSettings
from arq.constants import default_queue_name
from rich.console import Console
from rich.table import Table

from flexiprice.db.migrate import upgrade
from flexiprice.embedded.servers import ServerUrls, embedded_servers
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.connection import create_redis
from flexiprice.settings import load_settings
from tests.bench.celery_contender import Celery
from tests.bench.celery_home import celery_home
from tests.bench.contender import Contender

OURS, PLAIN, CELERY = "FlexiPrice", "arq, poll 10 ms", Celery.name
MOST_OF_PLAIN: Final = 1.5
MOST_OF_CELERY: Final = 0.8
MOST_IDLE: Final = 0.01
_LATENCIES: Final = 40


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
    command = ("arq", "tests.bench.noop_worker.WorkerSettings")

    def __init__(self, urls: ServerUrls) -> None:
        super().__init__(urls)
        os.environ["FLEXIPRICE_DATABASE_URL"] = urls.database_url
        os.environ["FLEXIPRICE_REDIS_URL"] = urls.redis_url
        settings = load_settings(env_files=())
        self._task = import_module("tests.bench.noop_worker").NOOP
        self.queue = keys.queue_key(self._task.queue)
        self._tasks = TaskQueue(create_redis(settings, client_name="benchmark"), settings)

    async def _enqueue(self, count: int) -> list[str]:
        return [(await self._tasks.enqueue(self._task)).job_id for _ in range(count)]


class Plain(_ByArq):
    """arq's own worker."""

    name = PLAIN
    command = ("arq", "tests.bench.plain_noop.WorkerSettings")
    queue = default_queue_name

    def __init__(self, urls: ServerUrls) -> None:
        super().__init__(urls)
        self._pool = self._runner.run(create_pool(RedisSettings.from_dsn(urls.redis_url)))

    async def _enqueue(self, count: int) -> list[str]:
        jobs = [await self._pool.enqueue_job("noop") for _ in range(count)]
        return [job.job_id for job in jobs if job is not None]


def drain_seconds(contender: Contender, jobs: int) -> float:
    """The seconds that a worker takes from the first job to the last."""
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
        celery_home() as home,
        console.status("overhead") as status,
    ):
        upgrade(urls.database_url)
        contenders: list[Contender] = [Ours(urls), Plain(urls)]
        if home is not None:
            contenders.append(Celery(urls, home))
        for number in range(rounds):
            for contender in contenders:
                status.update(f"overhead, round {number + 1} of {rounds}: {contender.name}")
                drains[contender.name].append(drain_seconds(contender, jobs))
                waits[contender.name].extend(latencies(contender))
        status.update("idle")
        idle = idle_share(contenders[0], idle_seconds)
        for contender in contenders:
            contender.close()
    table = Table("", f"{jobs:,} jobs, s", "jobs/s", "to the result, ms", title=f"medians of {rounds} rounds")
    for name, seconds in drains.items():
        took = median(seconds)
        table.add_row(name, f"{took:.2f}", f"{jobs / took:,.0f}", f"{median(waits[name]) * 1000:.1f}")
    console.print(table)
    verdicts = [
        _tell(console, "draining, of what plain arq takes", _ratio(drains, PLAIN), MOST_OF_PLAIN),
        _tell(console, "draining, of what Celery takes", _ratio(drains, CELERY), MOST_OF_CELERY),
        _tell(console, "to the result, of what Celery takes", _ratio(waits, CELERY), 1.0),
        _tell(console, "of a core, idle", idle, MOST_IDLE),
    ]
    return all(verdicts)


def _ratio(found: dict[str, list[float]], other: str) -> float | None:
    return median(found[OURS]) / median(found[other]) if other in found else None


def _tell(console: Console, what: str, value: float | None, most: float) -> bool:
    if value is None:
        console.print(f"{what}: not measured, `pip install celery[redis]` does not work here")
        return True
    holds = value <= most
    console.print(f"{what}: {value:.3f} (at most {most}) {'holds' if holds else 'passed'}")
    return holds


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--idle-seconds", type=float, default=60)
    chosen = parser.parse_args()
    holds = run(rounds=chosen.rounds, jobs=chosen.jobs, idle_seconds=chosen.idle_seconds)
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
