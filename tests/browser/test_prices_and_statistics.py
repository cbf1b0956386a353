"""Pages of statistics, prices, broker and database show stored data and start a recompute."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect
from sqlalchemy import delete, text

from flexiprice.access.audit_log import list_audit
from flexiprice.db.tables import Batch, Discount
from flexiprice.domain.run import RunStatus
from flexiprice.runs.recording import RunRecord, record_runs
from tests.browser.browser import Visit, visiting
from tests.browser.harness import Harness
from tests.browser.shop import Shop
from tests.support.builders import a_batch, a_product, an_active_policy, open_price


def card(page: Page, title: str) -> Locator:
    """The card with a heading."""
    return page.locator("section").filter(has=page.get_by_role("heading", name=title, exact=True))


@pytest_asyncio.fixture(loop_scope="session")
async def measured(harness: Harness) -> str:
    """The name of a task that ran ten times in the last hour, failed twice, and took one to ten seconds."""
    task, now = f"measured-{uuid4().hex[:8]}", datetime.now(UTC)
    records = [
        RunRecord(
            run_id=uuid4(),
            task=task,
            job_id=f"{task}-{number}",
            worker_id="somebody",
            attempt=1,
            status=RunStatus.FAILED if number <= 2 else RunStatus.SUCCEEDED,
            started_at=began,
            enqueued_at=began - timedelta(milliseconds=30),
            finished_at=began + timedelta(seconds=number),
            error_code="internal_error" if number <= 2 else None,
        )
        for number in range(1, 11)
        if (began := now - timedelta(minutes=5 * number))
    ]
    async with harness.resources.sessions.begin() as session:
        await record_runs(session, records)
    return task


async def test_statistics_tell_how_a_task_did_and_lead_to_its_runs(visit: Visit, measured: str) -> None:
    page = await visit.open("/statistics?window=1h")
    row = card(page, "By task").get_by_role("row").filter(has_text=measured)
    cells = await row.get_by_role("cell").all_inner_texts()
    assert cells == [measured, "10", "0.17", "2", "20%", "0"] + ["30 ms"] * 3 + ["5.5 s", "9.6 s", "9.9 s"]
    await row.get_by_role("link", name=measured).click()
    await page.wait_for_url(f"**/statistics?window=1h&task={measured}")
    slowest = card(page, "Slowest runs").get_by_role("row").nth(1)
    await expect(slowest).to_contain_text("10 s")
    await expect(slowest.get_by_role("link")).to_have_attribute("href", f"/tasks/{measured}-10")
    for chart in ("Runs over time", "Run time over time", "Wait times", "Run times"):
        await expect(card(page, chart).locator("canvas")).to_be_visible()
    await card(page, "By task").get_by_role("link", name="2", exact=True).click()
    await expect(page.locator("tbody tr")).to_have_count(2)


_BLUE = [0x3B, 0x82, 0xF6]
_COLOURED = """(canvas, [red, green, blue]) => {
    // Below the legend, which has the colours always.
    const { data } = canvas.getContext('2d').getImageData(0, 24, canvas.width, canvas.height - 24);
    let found = 0;
    for (let at = 0; at < data.length; at += 4)
        found += data[at] === red && data[at + 1] === green && data[at + 2] === blue;
    return found / (canvas.width * canvas.height);
}"""


async def test_runs_that_all_fall_into_one_class_and_one_minute_are_seen(
    visit: Visit, harness: Harness
) -> None:
    task, now = f"even-{uuid4().hex[:8]}", datetime.now(UTC)
    runs = [
        RunRecord(
            run_id=uuid4(),
            task=task,
            job_id=f"{task}-{number}",
            worker_id="somebody",
            attempt=1,
            status=RunStatus.SUCCEEDED,
            started_at=now - timedelta(minutes=5),
            finished_at=now - timedelta(minutes=5) + timedelta(seconds=1.5),
        )
        for number in range(1, 4)
    ]
    async with harness.resources.sessions.begin() as session:
        await record_runs(session, runs)
    page = await visit.open(f"/statistics?window=1h&task={task}")
    await visit.until_drawn()
    # Of three classes, the middle one: a bar on a scale, not a chart that is all bar.
    assert 0.1 < await card(page, "Run times").locator("canvas").evaluate(_COLOURED, _BLUE) < 0.4
    assert await card(page, "Run time over time").locator("canvas").evaluate(_COLOURED, _BLUE) > 0


_SKU = f"BREAD-{uuid4().hex[:8]}"


@pytest_asyncio.fixture(loop_scope="session")
async def bread(harness: Harness) -> AsyncIterator[int]:
    """A batch of bread on its last day, half off by the policy, and not priced yet."""
    today = datetime.now(UTC).date()
    async with harness.resources.sessions.begin() as session:
        await an_active_policy(session)
        product = await a_product(session, sku=_SKU, base_price="4.00", category="Bakery")
        batch = await a_batch(session, product, expiry_date=today, quantity=12)
    yield batch
    async with harness.resources.sessions.begin() as session:
        await session.execute(delete(Discount).where(Discount.batch_id == batch))
        await session.execute(delete(Batch).where(Batch.id == batch))


async def test_a_recompute_is_previewed_started_followed_and_seen(
    visit: Visit, harness: Harness, bread: int
) -> None:
    page = await visit.open("/prices")
    recompute = card(page, "Recompute")
    await recompute.get_by_role("button", name="Preview").click()
    await expect(recompute).to_contain_text("would open 1 discount, change 0 and close 0")
    row = recompute.get_by_role("row").filter(has_text=_SKU)
    await expect(row).to_contain_text(re.compile("opened.*4.00.*2.00.*50%.*last day", re.DOTALL))
    async with harness.resources.sessions() as session:
        assert await open_price(session, bread) is None

    await recompute.get_by_role("button", name="Recompute now").click()
    await expect(recompute).to_contain_text("1 considered, 1 opened, 0 changed, 0 closed, 0 unchanged")
    async with harness.resources.sessions() as session:
        assert await open_price(session, bread) == Decimal("2.00")
        [change, *_] = await list_audit(session, action="trigger_recompute")
    shows = recompute.get_by_role("link", name="Show the task")
    task_id = (await shows.get_attribute("href") or "").rpartition("/")[2]
    assert (change.details["task_id"], change.details["days_threshold"]) == (task_id, 30)

    # The values below update themselves.
    await expect(card(page, "Open discounts").get_by_role("row").nth(1)).to_contain_text(
        re.compile(r"main.*Bakery.*1.*12.*48.00.*24.00.*50%", re.DOTALL)
    )
    stock = card(page, "Stock by days to expiry")
    await expect(stock.get_by_role("row").nth(1)).to_contain_text(re.compile(r"Bakery\s*24"))

    page = await visit.open(f"/tasks/{task_id}")
    await expect(page.locator(".run-head")).to_contain_text("succeeded")

    page = await visit.open("/prices")
    await stock.get_by_role("link", name="Pieces").click()
    await expect(stock.get_by_role("row").nth(1)).to_contain_text(re.compile(r"Bakery\s*12"))
    await expect(page.locator(".price-figures")).to_contain_text("1 batch expires today or tomorrow")

    page = await visit.open("/prices")
    product = page.locator("#product")
    await product.get_by_role("searchbox").fill(_SKU.lower())
    await product.get_by_role("button", name="Find").click()
    await expect(product.locator("canvas")).to_be_visible()
    await expect(product).to_contain_text("lowest price of the last 30 days 2.00 EUR")
    await expect(product).to_contain_text("prior price, the lowest of the 30 days before: 4.00 EUR")
    step = product.get_by_role("row").nth(1)
    await expect(step).to_contain_text(re.compile("opened.*4.00.*2.00.*50%.*last day", re.DOTALL))


async def test_the_policy_is_shown_as_a_curve_and_a_table(visit: Visit) -> None:
    page = await visit.open("/prices?quantity=5")
    policy = page.locator("section").filter(has=page.get_by_role("heading", name="Discounts of policy"))
    await expect(policy.locator("canvas")).to_be_visible()
    await expect(policy.get_by_role("row").last).to_contain_text(re.compile(r"everything else\s*50%"))
    await expect(policy.get_by_label("Stock")).to_have_value("5")


async def test_read_only_viewer_can_preview_and_not_recompute(onlooker: Visit) -> None:
    page = await onlooker.open("/prices")
    await expect(page.get_by_role("button", name="Recompute now")).to_be_disabled()
    await page.get_by_role("button", name="Preview").click()
    await expect(card(page, "Recompute")).to_contain_text("Nothing has been written")


async def test_unknown_product_is_reported(visit: Visit) -> None:
    page = await visit.open("/prices?sku=NOBODY&store=main")
    await expect(page.locator("#product")).to_contain_text("NOBODY")
    page = await visit.open("/prices?search=%3Cscript%3E")
    await expect(page.locator("#product")).to_contain_text("No product has “<script>”")


async def test_a_schedule_that_is_paused_counts_down_to_nothing(browser: Browser, shop: Shop) -> None:
    async with visiting(browser, shop.harness) as visit:
        page = await visit.open("/")
        ticks = card(page, "Next ticks").get_by_role("row")
        paused = ticks.filter(has_text="update_price_history")
        await expect(paused.get_by_text("paused")).to_be_visible()
        await expect(paused.locator("time")).to_be_hidden()
        await expect(ticks.filter(has_text="recompute_all_discounts").locator("time")).to_be_visible()


async def test_broker_and_database_tell_how_they_are(visit: Visit, harness: Harness) -> None:
    page = await visit.open("/broker")
    await expect(page.get_by_role("heading", name=re.compile(r"^(Valkey|Redis) \d"))).to_be_visible()
    await expect(page.get_by_role("heading", name=re.compile(r"^PostgreSQL \d"))).to_be_visible()
    async with harness.resources.sessions() as session:
        name = await session.scalar(text("SELECT current_database()"))
    facts = card(page, "Tables")
    await expect(facts).to_contain_text("price_decisions (3 partitions)")
    # Written before the statistics of this copy of the database began, and never analysed.
    version = facts.get_by_role("row").filter(has_text="alembic_version")
    await expect(version.get_by_role("cell").nth(1)).to_have_text("not counted yet")
    await expect(page.locator(".facts").filter(has_text="Partitions")).to_contain_text(f"Database{name}")
    await expect(card(page, "Connections to the database")).to_contain_text("flexiprice-worker")
    await expect(card(page, "Queues").get_by_role("row")).to_have_count(4)
