"""A shop that has been open for days, so that every page of the monitor has something to show.

Runs before today and what people did are made up; stock, prices and all else really happen.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from flexiprice.access.audit_log import AuditEvent, record_audit
from flexiprice.cli.catalog.sample import load_sample
from flexiprice.domain.audit import AuditOutcome, AuditSource, FieldChange
from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.queue.admin.dead_letters import list_dead_letters
from flexiprice.queue.admin.queues import pause_queue
from flexiprice.queue.admin.schedules import pause_schedule
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS
from flexiprice.queue.status import JobStatus
from flexiprice.runs.recording import RunRecord, record_runs
from flexiprice.settings import Queue
from tests.browser.harness import Harness
from tests.support.builders import a_store
from tests.support.toy_tasks import FAIL, HOLD, SLEEP
from tests.support.waiting import until

SKU = "DEMO-DAI-01"
"""A product whose price is reduced in every store."""
REFUSED = AuditEvent(
    actor="nobody",
    source=AuditSource.API,
    action="use_api",
    target="GET /api/v1/admin/products",
    address="203.0.113.7",
    outcome=AuditOutcome.REFUSED,
    details={"reason": "nobody has this key", "times": 12},
)
# The text that must be on a page before axe judges it: an empty page proves little.
PAGES = {
    "/": "Last failures",
    "/tasks": "recompute_all_discounts",
    "/tasks?status=failed": "there is no such batch",
    "/tasks/{failed}": "Traceback",
    "/tasks/{running}": "running",
    "/tasks/no-such-task": "no-such-task",
    "/dead-letters": "there is no such batch",
    "/workers": "heartbeat",
    "/queues": "Paused by night-shift",
    "/schedules": "paused by night-shift",
    "/statistics": "Slowest runs",
    "/prices": "Given away",
    "/imports": "Import a file",
    "/stores": "Add a store",
    f"/prices?sku={SKU}#product": "lowest price of the last 30 days",
    "/prices?search=yoghurt#product": "Strawberry yoghurt",
    "/broker": "flexiprice-worker",
    "/audit": "import file",
}
MANUAL = {
    "/help": "All pages",
    "/help/reference/settings": "FLEXIPRICE_DATABASE_URL",
    "/help/reference/cli": "flexiprice import",
    "/help/no-such-page": "The manual has no page",
}
"""Pages that are as long as their text."""
_BRANCHES = ("north", "south", "station", "harbour", "airport")
_DEAD_LETTERS = 60
_CHANGES = 80
_FAILURES = (
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
_TRACEBACK = """\
Traceback (most recent call last):
  File "workers/runtime/jobs/execution.py", line 61, in run
    result = await task.body(run, arguments)
  File "workers/tasks.py", line 31, in recompute
    return await recompute_discounts(session, days_threshold=arguments.days_threshold, now=now)
{cause}
"""
_TASKS = {
    "recompute_all_discounts": ("discounts", timedelta(hours=1), 1.1),
    "cleanup_expired_discounts": ("maintenance", timedelta(days=1), 0.4),
    "update_price_history": ("analytics", timedelta(hours=6), 0.7),
}


def past_runs(now: datetime, chance: random.Random) -> Iterator[RunRecord]:
    """Three days of scheduled runs, and a quarter of an hour of runs by the API."""
    for task, (queue, every, seconds) in _TASKS.items():
        tick = now - (now - datetime(2000, 1, 1, tzinfo=UTC)) % every
        for _ in range(min(50, timedelta(days=9) // every)):
            yield _a_run(chance, task, queue, tick, seconds, RunTrigger.SCHEDULE)
            tick -= every
    at = now - timedelta(minutes=15)
    while (at := at + timedelta(seconds=chance.expovariate(1.4))) < now - timedelta(seconds=5):
        task = chance.choices(("recompute_all_discounts", "update_price_history"), (4, 1))[0]
        yield _a_run(chance, task, _TASKS[task][0], at, 0.3, RunTrigger.API)


def _a_run(
    chance: random.Random, task: str, queue: str, at: datetime, seconds: float, trigger: RunTrigger
) -> RunRecord:
    """One that took about so long; a few have failed, or were tried again."""
    state = chance.choices((RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.RETRYING), (97, 2, 1))[0]
    failure = chance.choice(_FAILURES)
    code, message, cause = (None, None, None) if state is RunStatus.SUCCEEDED else failure
    number = UUID(int=chance.getrandbits(128), version=4)
    began = at + timedelta(milliseconds=chance.uniform(2, 40))
    scheduled = trigger is RunTrigger.SCHEDULE
    return RunRecord(
        run_id=number,
        task=task,
        job_id=f"{task}:{at:%Y-%m-%dT%H:%M:%SZ}" if scheduled else number.hex,
        worker_id=f"shop-{chance.randint(1, 3)}:{chance.randint(700, 900)}:3fa9c1d2",
        attempt=1,
        status=state,
        started_at=began,
        finished_at=began + timedelta(seconds=seconds * chance.lognormvariate(-0.3, 0.5)),
        queue=queue,
        trigger=trigger,
        arguments={"days_threshold": 30} if task == "recompute_all_discounts" else {},
        enqueued_at=at,
        due_at=at if scheduled else None,
        error_code=code,
        error_message=message,
        traceback=None if cause is None else _TRACEBACK.format(cause=cause),
    )


async def changes(harness: Harness) -> None:
    """The audit events of today."""
    now = datetime.now(UTC)
    api, cli, monitor = AuditSource.API, AuditSource.CLI, AuditSource.MONITOR
    paused, cheaper = FieldChange(False, True), FieldChange("5.00", "4.00")
    active, counts = FieldChange(3, 4), {"batches_new": 214, "batches_updated": 31}
    done = (
        (230, "bootstrap", api, "activate_policy", "4", {"active_version": active}, {}),
        (95, "night-shift", monitor, "pause_queue", "discounts", {"paused": paused}, {}),
        (40, "anna", cli, "import_file", "stock.csv", {}, counts),
        (60, "till-import", api, "change_product", "BREAD-RYE-1", {"base_price": cheaper}, {}),
        (12, "night-shift", monitor, "run_schedule", "recompute_all_discounts", {}, {}),
    )
    made = [
        AuditEvent(
            at=now - timedelta(minutes=ago),
            actor=actor,
            source=source,
            action=action,
            target=target,
            address="back-office" if source is cli else "10.4.0.17",
            changes=changed,
            details=details,
        )
        for ago, actor, source, action, target, changed, details in done
    ]
    async with harness.resources.sessions.begin() as session:
        await record_audit(session, [*made, replace(REFUSED, at=now - timedelta(minutes=70))])


@dataclass(frozen=True)
class Shop:
    """Where to find what was put into a shop.

    Attributes:
        harness: the monitor and its workers.
        failed: the id of a task that failed.
        running: the id of a task that runs until the harness ends.
    """

    harness: Harness
    failed: str
    running: str


async def open_shop(harness: Harness) -> Shop:
    """Fills a harness: reduced stock, days of runs, dead letters, audit events, a paused queue."""
    resources, now = harness.resources, datetime.now(UTC)
    tasks = resources.tasks
    harness.start_worker(worker_queues="discounts")
    harness.start_worker(worker_queues="maintenance,analytics")
    await load_sample(resources.settings)
    async with resources.sessions.begin() as session:
        for branch in _BRANCHES:
            await a_store(session, branch, "Europe/Berlin")
        await session.execute(_STOCK_BRANCHES)
        await record_runs(session, list(past_runs(now, random.Random(4))))
    for _ in range(_CHANGES // 6):
        await changes(harness)
    failing = [await tasks.enqueue(FAIL, arguments={"kind": "ours"}) for _ in range(_DEAD_LETTERS)]
    recompute = await tasks.enqueue(RECOMPUTE_ALL_DISCOUNTS)
    await tasks.enqueue(SLEEP, defer_by=timedelta(hours=1))
    running = await tasks.enqueue(HOLD)

    async def worked() -> bool:
        letters = await list_dead_letters(resources.redis)
        states = await tasks.statuses([recompute.job_id, running.job_id])
        return len(letters) == _DEAD_LETTERS and [state.status for state in states] == [
            JobStatus.SUCCEEDED,
            JobStatus.RUNNING,
        ]

    await until(worked)
    await harness.until_workers(3)
    await pause_queue(tasks, Queue.ANALYTICS, now=now, by="night-shift")
    await pause_schedule(tasks, "update_price_history", by="night-shift")
    return Shop(harness, failing[0].job_id, running.job_id)


_STOCK_BRANCHES = text(
    """
    INSERT INTO batches (store_id, product_id, lot, quantity, expiry_date)
    SELECT stores.id, batches.product_id, batches.lot, batches.quantity, batches.expiry_date
    FROM batches, stores
    WHERE stores.code <> 'main'
    """
)
