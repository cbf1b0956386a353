"""The page of tasks: live updates, filters, revoking and retrying."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect
from sqlalchemy import text

from flexiprice.access.audit_log import list_audit
from flexiprice.domain.run import RunTrigger
from flexiprice.queue.status import JobStatus
from tests.browser.browser import Visit, visiting
from tests.browser.harness import Harness
from tests.support.toy_tasks import ADD, FAIL, FLAKY, SLEEP, STEPS, release
from tests.support.waiting import until

_MANY = 100_000


def row_of(page: Page, job_id: str) -> Locator:
    """The row of a job's only run."""
    return page.locator("tbody tr").filter(has=page.locator(f'a[href="/tasks/{job_id}"]'))


async def confirm(page: Page, verb: str) -> None:
    await page.get_by_role("alertdialog").get_by_role("button", name=verb).click()


async def ended(harness: Harness, job_id: str) -> None:
    """Returns when a job's end is in the history."""

    async def recorded() -> bool:
        async with harness.resources.sessions() as session:
            query = text("SELECT count(*) FROM task_runs WHERE job_id = :job AND finished_at IS NOT NULL")
            return bool(await session.scalar(query, {"job": job_id}))

    await until(recorded)


@pytest.mark.small
async def test_a_job_shows_up_progresses_and_ends_without_a_reload(visit: Visit, harness: Harness) -> None:
    page = await visit.open("/tasks")
    job = await harness.resources.tasks.enqueue(STEPS, arguments={"count": 4, "held": True})
    row = row_of(page, job.job_id)
    await expect(row).to_contain_text("running", timeout=60_000)
    for done, percent in ((1, "25"), (2, "50"), (3, "75")):
        await expect(row).to_contain_text(f"{done} of 4 step")
        await expect(row.get_by_role("progressbar")).to_have_attribute("aria-valuenow", percent)
        await release(harness.resources.redis, f"{job.job_id}/{done}")
    await expect(row).to_contain_text("succeeded", timeout=60_000)
    await expect(row).to_contain_text("count=4")


@pytest.mark.small
async def test_a_task_that_failed_tells_why_and_can_be_tried_again(visit: Visit, harness: Harness) -> None:
    job = await harness.resources.tasks.enqueue(FAIL, arguments={"kind": "ours"})
    page = await visit.open(f"/tasks/{job.job_id}")
    await expect(page.locator(".run-head")).to_contain_text("failed")
    await expect(page.locator(".timeline li strong")).to_have_text(["Enqueued", "Try 1 started", "Failed"])
    await expect(page.locator(".run-error")).to_contain_text("there is no such batch")
    await expect(page.get_by_role("region", name="Traceback")).to_contain_text("NotFound")
    await expect(page.get_by_role("region", name="Arguments")).to_contain_text('"kind": "ours"')

    await page.get_by_role("button", name="Retry:").click()
    await page.wait_for_url(lambda url: job.job_id not in url)
    new_id = page.url.rpartition("/")[2]
    await expect(page.locator(".facts")).to_contain_text(f"Parent{job.job_id}")
    await expect(page.locator(".run-head")).to_contain_text("failed")
    retried = await harness.resources.tasks.status(new_id)
    assert (retried.task, retried.source.trigger, retried.source.actor) == (
        "fail",
        RunTrigger.RETRY,
        "bootstrap",
    )
    page = await visit.open(f"/tasks/{job.job_id}")
    children = page.locator(".card").filter(has_text="Subjobs")
    await expect(children.get_by_role("link")).to_have_attribute("href", f"/tasks/{new_id}")


async def test_a_task_is_followed_and_called_off_on_its_own_page(visit: Visit, harness: Harness) -> None:
    job = await harness.resources.tasks.enqueue(STEPS, arguments={"count": 200, "seconds": 0.2})
    page = await visit.open(f"/tasks/{job.job_id}")
    await expect(page.locator(".run-progress")).to_contain_text("of 200 step")
    # The rows that a user reads meanwhile stay where they are.
    await expect(page.locator(".run-head")).to_contain_text("running")
    await expect(page.locator(".timeline li")).to_have_count(2)
    await page.get_by_role("region", name="Arguments").evaluate("element => element.dataset.seen = 'yes'")
    told = await page.locator(".run-progress").inner_text()
    await expect(page.locator(".run-progress")).not_to_have_text(told)
    await expect(page.get_by_role("region", name="Arguments")).to_have_attribute("data-seen", "yes")
    await page.get_by_role("button", name="Revoke:").click()
    await confirm(page, "Revoke")
    await expect(page.get_by_text("it was running, and has been cancelled")).to_be_visible()
    await expect(page.locator(".run-head")).to_contain_text("revoked")
    assert (await harness.resources.tasks.status(job.job_id)).status is JobStatus.REVOKED
    async with harness.resources.sessions() as session:
        [change, *_] = await list_audit(session, action="revoke_task")
    assert (change.target, change.details) == (job.job_id, {"outcome": "cancelled"})


async def test_every_try_of_a_task_is_in_its_timeline(visit: Visit, harness: Harness) -> None:
    job = await harness.resources.tasks.enqueue(FLAKY, arguments={"until": 2})
    page = await visit.open(f"/tasks/{job.job_id}")
    told = ["Enqueued", "Try 1 started", "Failed, will be retried", "Try 2 started", "Succeeded"]
    await expect(page.locator(".timeline li strong")).to_have_text(told)
    await expect(page.locator(".card").filter(has_text="Tries").locator("tbody tr")).to_have_count(2)


async def test_many_tasks_are_called_off_and_tried_again_at_once(visit: Visit, harness: Harness) -> None:
    tasks = harness.resources.tasks
    jobs = [
        await tasks.enqueue(SLEEP, arguments={"seconds": 60}, defer_by=timedelta(minutes=5)) for _ in range(2)
    ]
    page = await visit.open("/tasks?status=deferred")
    for job in jobs:
        await row_of(page, job.job_id).get_by_role("checkbox").click()
    await expect(page.get_by_text("2 selected")).to_be_visible()
    await page.get_by_role("button", name="Revoke:").click()
    await confirm(page, "Revoke")
    await expect(page.get_by_text("2: it had not started, and will not run")).to_be_visible()
    for job in jobs:
        await expect(row_of(page, job.job_id)).to_have_count(0)
        assert (await tasks.status(job.job_id)).status is JobStatus.REVOKED

    failed = await tasks.enqueue(FAIL, arguments={"kind": "builtin"})
    await ended(harness, failed.job_id)
    page = await visit.open("/tasks?status=failed")
    await row_of(page, failed.job_id).get_by_role("checkbox", name="Select fail").click()
    await page.get_by_role("button", name="Retry:").click()
    await confirm(page, "Cancel")
    await expect(page.get_by_role("alertdialog")).to_have_count(0)
    async with harness.resources.sessions() as session:
        assert failed.job_id not in {each.target for each in await list_audit(session, action="retry_tasks")}
    await page.get_by_role("button", name="Retry:").click()
    await confirm(page, "Retry")
    await expect(page.get_by_text("fail is enqueued again")).to_be_visible()
    async with harness.resources.sessions() as session:
        [change, *_] = await list_audit(session, action="retry_tasks")
    new_ids = change.details["new_task_ids"]
    assert isinstance(new_ids, dict)
    assert (await tasks.status(new_ids[failed.job_id])).source.parent_job_id == failed.job_id


async def test_tasks_that_need_a_person_are_retried_and_dismissed(visit: Visit, harness: Harness) -> None:
    jobs = [await harness.resources.tasks.enqueue(FAIL, arguments={"kind": "ours"}) for _ in range(2)]
    for job in jobs:
        await ended(harness, job.job_id)
    page = await visit.open("/dead-letters")
    first, second = (page.get_by_role("row").filter(has_text=job.job_id) for job in jobs)
    await expect(first).to_contain_text("there is no such batch")
    await first.get_by_role("button", name="Retry").click()
    await expect(page.get_by_text("1 enqueued again")).to_be_visible()
    await expect(first).to_have_count(0)
    await second.get_by_role("button", name="Dismiss").click()
    await expect(page.get_by_text("1 dismissed")).to_be_visible()
    await expect(second).to_have_count(0)


async def test_filters_are_in_the_address_and_a_link_shows_the_same_to_others(
    visit: Visit, harness: Harness, browser: Browser
) -> None:
    wanted = await harness.resources.tasks.enqueue(FAIL, arguments={"kind": "ours"})
    other = await harness.resources.tasks.enqueue(ADD, arguments={"left": 1})
    for job in (wanted, other):
        await ended(harness, job.job_id)
    page = await visit.open("/tasks")
    await expect(row_of(page, other.job_id)).to_be_visible()
    await page.get_by_role("button", name=re.compile("^failed")).click()
    await expect(row_of(page, other.job_id)).to_have_count(0)
    await page.get_by_label("In arguments or errors").fill("No Such Batch")
    await page.wait_for_url("**/tasks?status=failed&text=No+Such+Batch")
    await expect(row_of(page, wanted.job_id)).to_be_visible()
    async with visiting(browser, harness) as another:
        theirs = await another.open(page.url.removeprefix(harness.address))
        await expect(row_of(theirs, wanted.job_id)).to_be_visible()
        await expect(theirs.get_by_label("In arguments or errors")).to_have_value("No Such Batch")
        chip = theirs.get_by_role("button", name=re.compile("^failed"))
        await expect(chip).to_have_attribute("aria-pressed", "true")
        await theirs.get_by_label("In arguments or errors").fill("nothing like it")
        await expect(theirs.get_by_text("No task matches")).to_be_visible()


async def test_a_time_is_chosen_in_the_viewers_own_time_zone(visit: Visit, harness: Harness) -> None:
    job = await harness.resources.tasks.enqueue(ADD, arguments={"left": 1})
    await ended(harness, job.job_id)
    page = await visit.open("/tasks")
    await page.get_by_label("Time", exact=True).click()
    await page.get_by_role("option", name="From … until …").click()
    await page.get_by_label("Until", exact=True).fill("2026-01-31T13:30")
    # It is winter in Berlin.
    await page.wait_for_url("**/tasks?until=2026-01-31T12%3A30%3A00Z")
    await expect(row_of(page, job.job_id)).to_have_count(0)
    chosen = page.locator(".filter-instant time").last
    await expect(chosen).to_have_attribute("title", "2026-01-31 12:30:00.000 UTC")
    await expect(chosen).to_have_text("31 Jan 13:30:00")


async def test_columns_are_chosen_and_remembered(visit: Visit, harness: Harness) -> None:
    page = await visit.open("/tasks")
    heading = page.get_by_role("columnheader", name="Trigger")
    await expect(heading).to_have_count(0)
    await page.get_by_role("button", name="Columns").click()
    await page.get_by_role("checkbox", name="Trigger").click()
    await expect(heading).to_be_visible()
    page = await visit.open("/tasks")
    await expect(heading).to_be_visible()


async def test_read_only_viewer_can_neither_retry_nor_revoke(onlooker: Visit, harness: Harness) -> None:
    job = await harness.resources.tasks.enqueue(FAIL, arguments={"kind": "ours"})
    page = await onlooker.open(f"/tasks/{job.job_id}")
    await expect(page.get_by_role("button", name="Retry:")).to_be_disabled()
    page = await onlooker.open("/tasks")
    await expect(page.get_by_role("button", name="Retry:")).to_be_disabled()
    await expect(page.get_by_role("button", name="Revoke:")).to_be_disabled()


@pytest_asyncio.fixture(loop_scope="session")
async def crowd(harness: Harness) -> AsyncIterator[str]:
    """The name of a task that has run a hundred thousand times in the last days."""
    task, now = f"crowd-{uuid4().hex[:8]}", datetime.now(UTC)
    statement = """
        INSERT INTO task_runs (run_id, task, job_id, queue, worker_id, attempt, status, arguments,
            enqueued_at, started_at, finished_at)
        SELECT gen_random_uuid(), :task, 'crowd-' || n, 'discounts', 'worker', 1, 'succeeded',
            jsonb_build_object('number', n), at, at, at + n % 7919 * interval '1 millisecond'
        FROM generate_series(1, :runs) AS n,
            LATERAL (SELECT CAST(:now AS timestamptz) - n * interval '5 seconds') AS t (at)
    """
    async with harness.resources.sessions.begin() as session:
        await session.execute(text(statement), {"task": task, "runs": _MANY, "now": now})
        await session.execute(text("ANALYZE task_runs"))
    yield task
    async with harness.resources.sessions.begin() as session:
        await session.execute(text("DELETE FROM task_runs WHERE task = :task"), {"task": task})


async def test_a_hundred_thousand_runs_are_paged_and_sorted_quickly(
    visit: Visit, harness: Harness, crowd: str
) -> None:
    page = await visit.open(f"/tasks?task={crowd}&window=30d")
    rows = page.locator("tbody tr a")
    await expect(rows.first).to_have_attribute("href", "/tasks/crowd-1")
    await expect(page.get_by_role("button", name=re.compile("all 100.000"))).to_be_visible()

    async def shows(click: str, *, first: str) -> None:
        await page.get_by_role("button", name=click, exact=True).click()
        await expect(rows.first).to_have_attribute("href", f"/tasks/{first}")

    await shows("Next page", first="crowd-51")
    await shows("Next page", first="crowd-101")
    await shows("Previous page", first="crowd-51")
    await page.reload()
    await expect(rows.first).to_have_attribute("href", "/tasks/crowd-51")
    # 7,918 ms is the longest that any of them took, and the latest such run is the first of them.
    await shows("Ran", first="crowd-7918")
    await page.wait_for_url(f"**/tasks?task={crowd}&window=30d&sort=duration")
    await shows("Next page", first="crowd-23752")
