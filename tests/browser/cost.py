"""The monitor's CPU use with ten windows and fifty jobs a second: `python -m tests.browser.cost`."""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from flexiprice.db.migrate import upgrade
from flexiprice.embedded.servers import temporary_servers
from flexiprice.queue.client import TaskQueue
from tests.browser.browser import chromium, visiting
from tests.browser.harness import Harness, open_harness
from tests.support.toy_tasks import ADD, FAIL, SLEEP

PAGES = ("/", "/", "/", "/tasks", "/tasks", "/workers", "/queues", "/schedules", "/statistics", "/prices")
JOBS_PER_SECOND = 50
SECONDS = 30


async def enqueue_for_ever(tasks: TaskQueue) -> None:
    """Fifty jobs a second: most take a tenth of one, some fail."""
    number, began = 0, time.monotonic()
    while True:
        number += 1
        if number % 50 == 0:
            await tasks.enqueue(FAIL, arguments={"kind": "ours"})
        elif number % 2:
            await tasks.enqueue(ADD, arguments={"left": number})
        else:
            await tasks.enqueue(SLEEP, arguments={"seconds": 0.1})
        await asyncio.sleep(max(0.0, began + number / JOBS_PER_SECOND - time.monotonic()))


async def measure(harness: Harness, windows: int) -> None:
    """Prints what the monitor uses, and what it sends."""
    assert harness.monitor is not None
    process = psutil.Process(harness.monitor.pid)
    before, began = process.cpu_times(), time.monotonic()
    await asyncio.sleep(SECONDS)
    after, took = process.cpu_times(), time.monotonic() - began
    cpu = (after.user - before.user + after.system - before.system) / took
    memory = process.memory_info().rss / 1e6
    sys.stdout.write(f"{windows:>3} windows  {cpu:6.1%} of a core  {memory:4.0f} MB\n")


async def main(database_url: str, redis_url: str, folder: Path) -> None:
    """Measures without a window, with one, and with ten."""
    async with (
        open_harness(database_url, redis_url, folder) as harness,
        chromium() as browser,
        AsyncExitStack() as stack,
    ):
        enqueueing = asyncio.create_task(enqueue_for_ever(harness.resources.tasks))
        await asyncio.sleep(5)
        open_windows = 0
        for wanted in (0, 1, 10):
            while open_windows < wanted:
                visit = await stack.enter_async_context(visiting(browser, harness))
                visit.page.set_default_timeout(60_000)
                await visit.open(PAGES[open_windows])
                open_windows += 1
            await asyncio.sleep(5)
            await measure(harness, wanted)
        enqueueing.cancel()


if __name__ == "__main__":
    with temporary_servers() as urls, TemporaryDirectory() as scratch:
        upgrade(urls.database_url)
        asyncio.run(main(urls.database_url, urls.redis_url, Path(scratch)))
