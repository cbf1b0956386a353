"""Pictures of every page for README and manual: `python -m tests.browser.screenshots`.

The shop is the sample catalogue; what ran before today's pictures is made up, all else really happens.
"""

import asyncio
import random
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import Browser

from flexiprice.cli.catalog.sample import load_sample
from flexiprice.db.migrate import upgrade
from flexiprice.domain.run import RunStatus
from flexiprice.embedded.servers import temporary_servers
from flexiprice.queue.admin.queues import pause_queue, resume_queue
from flexiprice.queue.declarations import (
    CLEANUP_EXPIRED_DISCOUNTS,
    RECOMPUTE_ALL_DISCOUNTS,
    UPDATE_PRICE_HISTORY,
)
from flexiprice.runs.query import RunFilter, list_runs
from flexiprice.runs.recording import record_runs
from flexiprice.settings import Queue
from tests.browser.browser import chromium, visiting
from tests.browser.harness import ROOT, Harness, open_harness
from tests.browser.shop import changes, past_runs

IMAGES = ROOT / "flexiprice/docs/images"
PAGES = ("", "tasks", "workers", "queues", "schedules", "statistics", "prices", "broker", "audit")
# A table is seen in a few of its rows.
HEIGHTS = {"tasks": 560, "audit": 640, "queues": 500, "workers": 500}
WORKED_SECONDS = 150


async def work(harness: Harness, chance: random.Random) -> None:
    """Has real workers do real work for a while, with a queue that is stopped for a moment."""
    tasks = harness.resources.tasks
    declared = (RECOMPUTE_ALL_DISCOUNTS, CLEANUP_EXPIRED_DISCOUNTS, UPDATE_PRICE_HISTORY)
    for second in range(WORKED_SECONDS):
        for _ in range(chance.choice((0, 1, 2, 3))):
            task = chance.choices(declared, (6, 2, 1))[0]
            arguments = {"slot_at": datetime.now(UTC)} if task is UPDATE_PRICE_HISTORY else {}
            await tasks.enqueue(task, arguments=arguments)
        if second % 60 == 20:
            await pause_queue(tasks, Queue.DISCOUNTS, now=datetime.now(UTC), by="night shift")
        if second % 60 == 35:
            await resume_queue(tasks, Queue.DISCOUNTS)
        await asyncio.sleep(1)


async def picture(
    browser: Browser, harness: Harness, path: str, name: str, *, height: int = 800, **window: object
) -> None:
    """Takes a picture of one page."""
    options = {"viewport": {"width": 1280, "height": height}, **window}
    async with visiting(browser, harness, **options) as visit:
        visit.page.set_default_timeout(60_000)
        await visit.open(f"/{path}")
        # Charts are drawn, and the updates of each second have arrived.
        await visit.page.wait_for_timeout(3500)
        await visit.page.screenshot(path=IMAGES / f"monitor-{name}.png")


async def main(database_url: str, redis_url: str, folder: Path) -> None:
    """Makes all pictures."""
    chance = random.Random(4)
    async with open_harness(database_url, redis_url, folder) as harness:
        await load_sample(harness.resources.settings)
        async with harness.resources.sessions.begin() as session:
            await record_runs(session, list(past_runs(datetime.now(UTC), chance)))
        await changes(harness)
        harness.start_worker(worker_queues="discounts")
        harness.start_worker(worker_queues="maintenance,analytics")
        await harness.until_workers(3)
        working = asyncio.create_task(work(harness, chance))
        await asyncio.sleep(WORKED_SECONDS - 60)
        async with chromium() as browser:
            for page in PAGES:
                await picture(browser, harness, page, page or "overview", height=HEIGHTS.get(page, 800))
            async with harness.resources.sessions() as session:
                (failed,) = await list_runs(session, RunFilter(statuses=(RunStatus.FAILED,)), limit=1)
            await picture(browser, harness, f"tasks/{failed.job_id}", "run")
            await picture(browser, harness, "", "overview-dark", color_scheme="dark")
            await picture(browser, harness, "", "overview-phone", viewport={"width": 360, "height": 740})
        working.cancel()


if __name__ == "__main__":
    with temporary_servers() as urls, TemporaryDirectory() as scratch:
        upgrade(urls.database_url)
        asyncio.run(main(urls.database_url, urls.redis_url, Path(scratch)))
