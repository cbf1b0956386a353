"""Live updates of the monitor's pages, and the actions of their buttons."""

import re
import signal
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from playwright.async_api import Browser, Page, expect

from flexiprice.access.audit_log import AuditLogEntry, list_audit
from flexiprice.domain.audit import AuditOutcome, AuditSource
from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.queue.admin.queues import get_queue, pause_queue, resume_queue
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.status import JobStatus
from flexiprice.runs.recording import RunRecord, record_runs
from flexiprice.settings import Queue
from tests.browser.browser import Visit, visiting
from tests.browser.harness import Harness
from tests.support.toy_tasks import FAIL, HOLD, SLEEP_ELSEWHERE, release

PAGES = (
    "/",
    "/dead-letters",
    "/workers",
    "/queues",
    "/schedules",
    "/audit",
    "/tasks",
    "/statistics",
    "/prices",
    "/imports",
    "/stores",
    "/broker",
)

DARK = re.compile("body--dark")


async def latest_change(harness: Harness) -> AuditLogEntry:
    async with harness.resources.sessions() as session:
        return (await list_audit(session, outcome=AuditOutcome.DONE, limit=1))[0]


async def confirm(page: Page, verb: str) -> None:
    await page.get_by_role("alertdialog").get_by_role("button", name=verb).click()


@pytest.mark.small
async def test_every_page_fits_a_narrow_screen(browser: Browser, harness: Harness) -> None:
    async with visiting(browser, harness, viewport={"width": 360, "height": 740}) as visit:
        for path in PAGES:
            await visit.open(path)
            await expect(visit.page.get_by_role("heading", level=1)).to_be_visible()
            assert await visit.width() <= 360, path


async def test_a_job_shows_up_on_its_worker_by_itself_and_goes_when_it_ends(
    visit: Visit, harness: Harness
) -> None:
    page = await visit.open("/workers")
    row = page.locator("tbody tr").filter(has_text="heartbeat")
    await expect(row).to_contain_text("0 of 30")
    job = await harness.resources.tasks.enqueue(HOLD)
    link = row.get_by_role("link", name="hold")
    await expect(link).to_have_attribute("href", f"/tasks/{job.job_id}", timeout=60_000)
    await expect(row).to_contain_text("1 of 30")
    await release(harness.resources.redis, job.job_id)
    await expect(link).to_have_count(0, timeout=60_000)
    await expect(row).to_contain_text("0 of 30")


@pytest.mark.small
async def test_a_queue_is_paused_purged_and_resumed_and_the_audit_says_by_whom(
    visit: Visit, harness: Harness
) -> None:
    tasks = harness.resources.tasks
    page = await visit.open("/queues")
    card = page.locator("#maintenance")
    await card.get_by_role("button", name="Pause").click()
    await confirm(page, "Pause")
    await expect(card).to_contain_text("Paused by bootstrap")
    assert (await get_queue(tasks, Queue.MAINTENANCE)).paused_by == "bootstrap"

    jobs = [await tasks.enqueue(SLEEP_ELSEWHERE) for _ in range(3)]
    await expect(card.locator(".figure").filter(has_text="waiting")).to_contain_text("3", timeout=60_000)
    await card.get_by_role("button", name="Purge").click()
    dialog = page.get_by_role("alertdialog")
    await expect(dialog.get_by_role("button", name="Purge")).to_be_disabled()
    await dialog.get_by_role("textbox").fill("maintenance")
    await confirm(page, "Purge")
    await expect(page.get_by_text("3 jobs of maintenance were revoked")).to_be_visible()
    for job in jobs:
        assert (await tasks.status(job.job_id)).status is JobStatus.REVOKED
    change = await latest_change(harness)
    assert (change.action, change.target, change.details) == ("purge_queue", "maintenance", {"purged": 3})
    assert (change.actor, change.source, change.address) == ("bootstrap", AuditSource.MONITOR, "127.0.0.1")

    await card.get_by_role("button", name="Resume").click()
    await expect(card.get_by_role("button", name="Pause")).to_be_visible()
    assert (await get_queue(tasks, Queue.MAINTENANCE)).paused_at is None


async def test_a_schedule_is_run_paused_and_resumed(visit: Visit, harness: Harness) -> None:
    tasks, name = harness.resources.tasks, "update_price_history"
    page = await visit.open("/schedules")
    card = page.locator(f"#{name}")
    await expect(card).to_contain_text("At minute 0 past every sixth hour")
    marks = await card.locator(".mark").count()
    await card.get_by_role("button", name="Run now").click()
    await confirm(page, "Run now")
    await expect(card.locator(".mark")).to_have_count(marks + 1)
    await expect(card).to_contain_text("succeeded")
    change = await latest_change(harness)
    ran = await tasks.status(str(change.details["task_id"]))
    assert (change.action, ran.task, ran.status) == ("run_schedule", name, JobStatus.SUCCEEDED)

    await card.get_by_role("button", name="Pause").click()
    await confirm(page, "Pause")
    await expect(card).to_contain_text("paused by bootstrap")
    paused_by = {state.name: state.paused_by for state in await list_schedules(tasks)}
    assert paused_by[name] == "bootstrap"
    await card.get_by_role("button", name="Resume").click()
    await expect(card.get_by_role("button", name="Pause")).to_be_visible()


async def test_a_schedule_that_only_a_worker_has_comes_and_goes_with_it(
    visit: Visit, harness: Harness
) -> None:
    tasks = harness.resources.tasks
    page = await visit.open("/schedules")
    card = page.locator("#count_stock")
    await expect(page.locator("#update_price_history")).to_contain_text("enqueued by")
    await expect(card).to_have_count(0)

    now = datetime.now(UTC)
    ran = RunRecord(
        run_id=uuid4(),
        task=SLEEP_ELSEWHERE.name,
        job_id=f"count-{uuid4().hex}",
        worker_id="somebody",
        attempt=1,
        status=RunStatus.SUCCEEDED,
        trigger=RunTrigger.SCHEDULE,
        started_at=now,
        finished_at=now,
    )
    async with harness.resources.sessions.begin() as session:
        await record_runs(session, [ran])
    night = harness.start_worker("night_worker", cleanup_schedule="30 4 * * *")
    await expect(card).to_contain_text("At 04:30")
    (worker,) = [each for each in await tasks.live_workers() if each.pid == night.pid]
    await expect(card).to_contain_text(f"enqueued by {worker.worker_id}")
    await expect(card.locator(".mark")).to_have_attribute("href", f"/tasks/{ran.job_id}")
    await expect(card.get_by_role("button", name="Run now")).to_be_disabled()
    await card.get_by_role("button", name="Pause").click()
    await confirm(page, "Pause")
    await expect(card).to_contain_text("paused by bootstrap")
    await card.get_by_role("button", name="Resume").click()
    await expect(card).not_to_contain_text("paused by bootstrap")

    night.send_signal(signal.SIGTERM)
    assert night.wait(timeout=120) == 0
    await expect(card).to_have_count(0)


async def test_a_worker_that_is_drained_leaves_the_list(visit: Visit, harness: Harness) -> None:
    page = await visit.open("/workers")
    worker = harness.start_worker(worker_queues="analytics")
    row = page.get_by_role("row").filter(has_text=f":{worker.pid}")
    await row.get_by_role("button", name="Drain").click(timeout=60_000)
    await confirm(page, "Drain")
    await expect(row).to_have_count(0)
    assert worker.wait(timeout=120) == 0
    assert (await latest_change(harness)).action == "drain_worker"


async def test_a_failure_is_seen_on_the_overview_with_a_link_to_its_page(
    visit: Visit, harness: Harness
) -> None:
    page = await visit.open("/")
    job = await harness.resources.tasks.enqueue(FAIL, arguments={"kind": "ours"})
    failures = page.locator(".card").filter(has=page.get_by_role("heading", name="Last failures"))
    first = failures.get_by_role("row").nth(1)
    await expect(first.get_by_role("link")).to_have_attribute("href", f"/tasks/{job.job_id}")
    await expect(first).to_contain_text("there is no such batch")


async def test_a_queue_that_nobody_serves_is_told_with_what_to_do(visit: Visit, harness: Harness) -> None:
    page = await visit.open("/")
    await expect(page.get_by_role("status")).not_to_contain_text("No worker")
    harness.workers[0].send_signal(signal.SIGTERM)
    harness.workers[0].wait(timeout=120)
    await expect(page.get_by_role("status")).to_contain_text("No worker is running")
    await expect(page).to_have_title("✖ Overview · FlexiPrice")
    await expect(page.locator(".findings")).to_contain_text("flexiprice worker")
    harness.start_worker()
    await harness.until_workers(1)
    await expect(page.get_by_role("status")).not_to_contain_text("No worker", timeout=60_000)


async def test_pages_go_on_by_themselves_after_the_monitor_was_restarted(
    visit: Visit, harness: Harness
) -> None:
    page = await visit.open("/queues")
    harness.stop_monitor()
    await expect(page.get_by_text("Connection lost")).to_be_visible()
    await harness.start_monitor()
    await expect(page.get_by_text("Connection lost")).not_to_be_visible()
    await page.wait_for_function("window.did_handshake === true")
    await pause_queue(harness.resources.tasks, Queue.ANALYTICS, now=datetime.now(UTC), by="somebody")
    await expect(page.locator("#analytics")).to_contain_text("Paused by somebody")
    await resume_queue(harness.resources.tasks, Queue.ANALYTICS)
    await expect(page.locator("#analytics").get_by_text("Paused by")).not_to_be_visible()
    # The browser says of a server that is away that it is.
    visit.complaints[:] = [text for text in visit.complaints if "ERR_CONNECTION_REFUSED" not in text]


async def test_the_audit_is_filtered_by_its_address(visit: Visit, harness: Harness) -> None:
    page = await visit.open("/audit?what=purge_queue&to=maintenance")
    rows = page.locator("tbody tr")
    await expect(rows.first).to_contain_text("purge queue")
    await page.get_by_label("Target").fill("nothing-of-this-name")
    # Live updates leave alone a text that is being typed.
    status = page.get_by_role("status")
    await expect(status).not_to_be_empty()
    before = await status.inner_text()
    await pause_queue(harness.resources.tasks, Queue.ANALYTICS, now=datetime.now(UTC), by="somebody")
    await expect(status).not_to_have_text(before)
    await resume_queue(harness.resources.tasks, Queue.ANALYTICS)
    await expect(page.get_by_label("Target")).to_have_value("nothing-of-this-name")
    await expect(page.get_by_label("Action")).to_have_value("purge_queue")
    await page.get_by_role("button", name="Filter").click()
    await expect(page).to_have_url(
        f"{harness.address}/audit?who=&what=purge_queue&to=nothing-of-this-name&from=&outcome=&since=&until="
    )
    await expect(page.get_by_text("No entry matches the filter")).to_be_visible()


async def test_unknown_page_says_so_within_the_frame(visit: Visit) -> None:
    page = await visit.open("/no-such-page")
    await expect(page.get_by_text("There is no such page")).to_be_visible()
    await expect(page.get_by_role("link", name="Overview")).to_be_visible()
    visit.complaints.remove("Failed to load resource: the server responded with a status of 404 (Not Found)")


async def test_dark_and_light_are_chosen_and_remembered(visit: Visit) -> None:
    page = await visit.open("/queues")
    await page.get_by_role("button", name="Light or dark").click()
    await page.get_by_text("Dark", exact=True).click()
    await expect(page.locator("body")).to_have_class(DARK)
    page = await visit.open("/workers")
    await expect(page.locator("body")).to_have_class(DARK)
