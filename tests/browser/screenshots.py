"""Pictures of every page for the README: `python -m tests.browser.screenshots`.

The shop is the sample catalogue; what ran before today's pictures is made up, all else really happens.
"""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from playwright.async_api import Browser

from flexiprice.cli.sample import load_sample
from flexiprice.db.migrate import upgrade
from flexiprice.domain.audit import AuditSource
from flexiprice.domain.run import RunState, RunTrigger
from flexiprice.embedded.servers import temporary_servers
from flexiprice.jobs.declarations import (
    CLEANUP_EXPIRED_DISCOUNTS,
    RECOMPUTE_ALL_DISCOUNTS,
    UPDATE_PRICE_HISTORY,
)
from flexiprice.jobs.queues import pause_queue, resume_queue
from flexiprice.services.audit import Change, record_audit
from flexiprice.services.run_recording import RunRecord, record_runs
from flexiprice.services.runs import RunFilter, list_runs
from flexiprice.settings import Queue
from tests.browser.browser import chromium, visiting
from tests.browser.stage import ROOT, Stage, stage_on

IMAGES = ROOT / ".github/images"
PAGES = ("", "tasks", "workers", "queues", "schedules", "statistics", "prices", "broker", "audit")
# A table is seen in a few of its rows.
HEIGHTS = {"tasks": 560, "audit": 480, "queues": 500, "workers": 500}
WORKED_SECONDS = 150
FAILURES = (
    (
        "database_unavailable",
        "the database ended the connection, or is starting or stopping; try again",
        "flexiprice.errors.DatabaseUnavailable: the database ended the connection",
    ),
    (
        "internal_error",
        "the task failed unexpectedly (DiskFullError); the worker's log says more",
        "asyncpg.exceptions.DiskFullError: could not extend file: No space left on device",
    ),
)
TRACEBACK = """\
Traceback (most recent call last):
  File "workers/runtime/execution.py", line 61, in run
    result = await task.body(run, arguments)
  File "workers/tasks.py", line 31, in recompute
    return await recompute_discounts(session, days_threshold=arguments.days_threshold, now=now)
{cause}
"""
TASKS = {
    "recompute_all_discounts": ("discounts", timedelta(hours=1), 1.1),
    "cleanup_expired_discounts": ("maintenance", timedelta(days=1), 0.4),
    "update_price_history": ("analytics", timedelta(hours=6), 0.7),
}


def past_runs(now: datetime, chance: random.Random) -> Iterator[RunRecord]:
    """Three days of schedules, and a quarter of an hour of what the tills asked for."""
    for task, (queue, every, seconds) in TASKS.items():
        tick = now - (now - datetime(2000, 1, 1, tzinfo=UTC)) % every
        for _ in range(min(50, timedelta(days=9) // every)):
            yield a_run(chance, task, queue, tick, seconds, RunTrigger.SCHEDULE)
            tick -= every
    at = now - timedelta(minutes=15)
    while (at := at + timedelta(seconds=chance.expovariate(1.4))) < now - timedelta(seconds=5):
        task = chance.choices(("recompute_all_discounts", "update_price_history"), (4, 1))[0]
        yield a_run(chance, task, TASKS[task][0], at, 0.3, RunTrigger.API)


def a_run(
    chance: random.Random, task: str, queue: str, at: datetime, seconds: float, trigger: RunTrigger
) -> RunRecord:
    """One that took about so long; a few have failed, or were tried again."""
    state = chance.choices((RunState.SUCCEEDED, RunState.FAILED, RunState.RETRYING), (97, 2, 1))[0]
    failure = chance.choice(FAILURES)
    code, message, cause = (None, None, None) if state is RunState.SUCCEEDED else failure
    number = UUID(int=chance.getrandbits(128), version=4)
    began = at + timedelta(milliseconds=chance.uniform(2, 40))
    scheduled = trigger is RunTrigger.SCHEDULE
    return RunRecord(
        run_id=number,
        task=task,
        job_id=f"{task}:{at:%Y-%m-%dT%H:%M:%SZ}" if scheduled else number.hex,
        worker_id=f"shop-{chance.randint(1, 3)}:{chance.randint(700, 900)}:3fa9c1d2",
        attempt=1,
        state=state,
        started_at=began,
        finished_at=began + timedelta(seconds=seconds * chance.lognormvariate(-0.3, 0.5)),
        queue=queue,
        trigger=trigger,
        arguments={"days_threshold": 30} if task == "recompute_all_discounts" else {},
        enqueued_at=at,
        due_at=at if scheduled else None,
        error_code=code,
        error_message=message,
        traceback=None if cause is None else TRACEBACK.format(cause=cause),
    )


async def work(stage: Stage, chance: random.Random) -> None:
    """Has real workers do real work for a while, with a queue that is stopped for a moment."""
    tasks = stage.resources.tasks
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


async def changes(stage: Stage) -> None:
    """What people did today."""
    now = datetime.now(UTC)
    done = (
        (230, "bootstrap", AuditSource.API, "activate_policy_version", "4", {"version": 4}),
        (95, "night-shift", AuditSource.MONITOR, "pause_queue", "discounts", {"changed": True}),
        (92, "night-shift", AuditSource.MONITOR, "resume_queue", "discounts", {"changed": True}),
        (40, "anna@till-2", AuditSource.CLI, "import_file", "stock.csv", {"created": 214, "updated": 31}),
        (12, "night-shift", AuditSource.MONITOR, "run_schedule", "recompute_all_discounts", {}),
    )
    async with stage.resources.sessions.begin() as session:
        made = [
            Change(
                at=now - timedelta(minutes=ago),
                actor=actor,
                source=source,
                action=action,
                target=target,
                address=None if source is AuditSource.CLI else "10.4.0.17",
                details=details,
            )
            for ago, actor, source, action, target, details in done
        ]
        await record_audit(session, made)


async def picture(
    browser: Browser, stage: Stage, path: str, name: str, *, height: int = 800, **window: object
) -> None:
    """Takes a picture of one page."""
    options = {"viewport": {"width": 1280, "height": height}, **window}
    async with visiting(browser, stage, **options) as visit:
        visit.page.set_default_timeout(60_000)
        await visit.open(f"/{path}")
        # Charts are drawn, and what comes every second has come.
        await visit.page.wait_for_timeout(3500)
        await visit.page.screenshot(path=IMAGES / f"monitor-{name}.png")


async def main(database_url: str, redis_url: str, folder: Path) -> None:
    """Makes all pictures."""
    chance = random.Random(4)
    async with stage_on(database_url, redis_url, folder) as stage:
        await load_sample(stage.resources.settings)
        async with stage.resources.sessions.begin() as session:
            await record_runs(session, list(past_runs(datetime.now(UTC), chance)))
        await changes(stage)
        stage.start_worker(worker_queues="discounts")
        stage.start_worker(worker_queues="maintenance,analytics")
        await stage.until_workers(3)
        working = asyncio.create_task(work(stage, chance))
        await asyncio.sleep(WORKED_SECONDS - 60)
        async with chromium() as browser:
            for page in PAGES:
                await picture(browser, stage, page, page or "overview", height=HEIGHTS.get(page, 800))
            async with stage.resources.sessions() as session:
                (failed,) = await list_runs(session, RunFilter(states=(RunState.FAILED,)), limit=1)
            await picture(browser, stage, f"tasks/{failed.job_id}", "run")
            await picture(browser, stage, "", "overview-dark", color_scheme="dark")
            await picture(browser, stage, "", "overview-phone", viewport={"width": 360, "height": 740})
        working.cancel()


if __name__ == "__main__":
    with temporary_servers() as urls, TemporaryDirectory() as scratch:
        upgrade(urls.database_url)
        asyncio.run(main(urls.database_url, urls.redis_url, Path(scratch)))
