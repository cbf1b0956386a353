"""`python -m tests.bench.shards`: a recompute by one worker alone, and in shards on one worker and two.

Real worker processes; the time is that from enqueueing to the result, as a client sees it.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit, urlunsplit

from rich.console import Console
from rich.table import Table

from flexiprice.db.migrate import upgrade
from flexiprice.embedded.servers import ServerUrls, embedded_servers
from flexiprice.queue.broker import open_job_broker
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS
from flexiprice.queue.status import JobStatus
from flexiprice.settings import load_settings
from tests.bench.comparison import timed
from tests.bench.recompute import change_prices
from tests.bench.shop import Shop, shop
from tests.support import servers

SIZES = (100_000, 1_000_000)
_LONGEST = timedelta(minutes=10)
console = Console() if sys.stdout.isatty() else Console(width=120)


@dataclass
class Way:
    """A way to recompute.

    Attributes:
        name: what it is.
        shards: into how many the recompute is cut.
        workers: how many processes do it.
        shards_from: it is cut where more batches than these change.
        database: the number of its own database in Redis, so that the ways keep out of each other's.
    """

    name: str
    shards: int
    workers: int
    shards_from: int
    database: int
    seconds: dict[str, list[float]] = field(default_factory=dict)


def _start(workers: int, environment: dict[str, str]) -> list[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "arq", "workers.settings.WorkerSettings"]
    return [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for _ in range(workers)]


@asynccontextmanager
async def at_work(way: Way, urls: ServerUrls, database_url: str) -> AsyncIterator[TaskQueue]:
    """The queue of a way, with its workers behind it."""
    parts = urlsplit(urls.redis_url)
    redis_url = urlunsplit(parts._replace(path=f"/{way.database}"))
    environment = {
        **os.environ,
        "FLEXIPRICE_DATABASE_URL": database_url,
        "FLEXIPRICE_REDIS_URL": redis_url,
        "FLEXIPRICE_RECOMPUTE_SHARDS": str(way.shards),
        "FLEXIPRICE_RECOMPUTE_SHARDS_FROM": str(way.shards_from),
        # No tick may come in between.
        "FLEXIPRICE_RECOMPUTE_SCHEDULE": "0 0 29 2 *",
        "FLEXIPRICE_WORKER_QUEUES": "discounts",
        "FLEXIPRICE_LOG_LEVEL": "WARNING",
    }
    workers = _start(way.workers, environment)
    settings = load_settings(env_files=(), database_url=database_url, redis_url=redis_url)
    try:
        async with open_job_broker(settings, program="benchmark") as broker:
            async with asyncio.timeout(60):
                while len(await broker.tasks.live_workers()) < way.workers:  # noqa: ASYNC110 -- they start
                    await asyncio.sleep(0.05)
            yield broker.tasks
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


async def recompute(tasks: TaskQueue) -> None:
    """Has the workers recompute, and waits for the result."""
    job = await tasks.enqueue(RECOMPUTE_ALL_DISCOUNTS)
    status = await tasks.wait(job.job_id, _LONGEST)
    if status.status is not JobStatus.SUCCEEDED:
        raise RuntimeError(f"the recompute {status.status}: {status.error}")


async def measure(urls: ServerUrls, url: str, batches: int, ways: Sequence[Way], rounds: int) -> None:
    """Measures all ways in turns, in every situation; a first round of each warms up."""
    turns = count()
    async with shop(url, batches) as opened, AsyncExitStack() as stack:
        queues = [await stack.enter_async_context(at_work(way, urls, url)) for way in ways]

        async def change(opened: Shop) -> None:
            await change_prices(opened, next(turns))
            await opened.outside_transaction("CHECKPOINT")

        situations: dict[str, Callable[[Shop], Awaitable[None]]] = {
            "first run": Shop.close_all,
            "nothing changed": Shop.settle,
            "3% changed": change,
        }
        for situation, prepare in situations.items():
            for round_ in range(rounds + 1):
                for way, tasks in zip(ways, queues, strict=True):
                    await prepare(opened)
                    taken = await timed(recompute(tasks))
                    if round_:
                        way.seconds.setdefault(situation, []).append(taken)


def show(batches: int, ways: Sequence[Way]) -> None:
    """Prints the medians, and each as a multiple of the first way's."""
    table = Table("what", "batches", *(way.name for way in ways), "ratios")
    for situation, alone in ways[0].seconds.items():
        medians = [median(way.seconds[situation]) for way in ways]
        ratios = ", ".join(f"{taken / median(alone):.2f}" for taken in medians[1:])
        table.add_row(situation, f"{batches:,}", *(f"{taken * 1000:,.0f} ms" for taken in medians), ratios)
    console.print(table)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.shards", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of batches")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each")
    parser.add_argument("--shards", type=int, default=4, help="into how many a recompute is cut")
    parser.add_argument("--shards-from", type=int, default=0, help="FLEXIPRICE_RECOMPUTE_SHARDS_FROM")
    chosen = parser.parse_args()
    cut = f"{chosen.shards} shards"
    with (
        tempfile.TemporaryDirectory(prefix="flexiprice-bench-") as scratch,
        # Durable, as in production: what is measured must reach the disk.
        embedded_servers(Path(scratch), durable=True) as urls,
    ):
        for batches in chosen.sizes:
            ways = [
                Way("one worker alone", 1, 1, 0, 1),
                Way(f"{cut}, 1 worker", chosen.shards, 1, chosen.shards_from, 2),
                Way(f"{cut}, 2 workers", chosen.shards, 2, chosen.shards_from, 3),
            ]
            with servers.database(urls.database_url, f"bench_shards_{batches}") as url:
                upgrade(url)
                asyncio.run(measure(urls, url, batches, ways, chosen.rounds))
            show(batches, ways)


if __name__ == "__main__":
    main()
