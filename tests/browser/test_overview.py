"""The numbers of the overview are those of stock and tasks, and update themselves."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect
from sqlalchemy import delete

from flexiprice.db.clock import database_now
from flexiprice.db.tables import Batch, Discount, Store
from flexiprice.domain.run import RunStatus
from flexiprice.pricing.recompute import recompute_all_discounts
from flexiprice.runs.recording import RunRecord, record_runs
from tests.browser.browser import Visit, visiting
from tests.browser.harness import Harness
from tests.support.builders import a_batch, a_product, a_store, an_active_policy

_TASK = "recompute_batches"


def figures(page: Page) -> list[Locator]:
    """The numbers: at risk, discounts, on the last day, tasks."""
    found = page.get_by_role("region", name="At a glance").locator(".figure")
    return [found.nth(number) for number in range(4)]


@pytest_asyncio.fixture(loop_scope="session")
async def east(harness: Harness) -> AsyncIterator[str]:
    """A second store; it and `main` have bread on its last day, half off by the policy and not priced yet."""
    code, today = f"east-{uuid4().hex[:8]}", datetime.now(UTC).date()
    async with harness.resources.sessions.begin() as session:
        await an_active_policy(session)
        await a_store(session, code, "UTC")
        product = await a_product(session, sku=code, base_price="4.00")
        batches = [await a_batch(session, product, expiry_date=today, quantity=12)]
        batches.append(await a_batch(session, product, expiry_date=today, quantity=3, store=code))
    yield code
    async with harness.resources.sessions.begin() as session:
        await session.execute(delete(Discount).where(Discount.batch_id.in_(batches)))
        await session.execute(delete(Batch).where(Batch.id.in_(batches)))
        await session.execute(delete(Store).where(Store.code == code))


@pytest.mark.small
async def test_the_stock_is_told_in_numbers_that_follow_a_recompute(
    visit: Visit, harness: Harness, east: str
) -> None:
    page = await visit.open("/")
    at_risk, discounts, last_day, _ = figures(page)
    await expect(at_risk).to_contain_text("60.00 EUR")
    await expect(at_risk).to_contain_text("expires today, at base prices")
    await expect(discounts).to_contain_text("0batches discounted now, by 0.00 EUR")
    await expect(last_day).to_contain_text("60.00 EUR")
    async with harness.resources.sessions.begin() as session:
        await recompute_all_discounts(session, now=await database_now(session))
    await expect(discounts).to_contain_text("2batches discounted now, by 30.00 EUR")
    await expect(last_day).to_contain_text("30.00 EUR")
    await expect(at_risk).to_contain_text("60.00 EUR")

    await page.get_by_text("By store", exact=True).click()
    row = page.get_by_role("row").filter(has_text=east)
    await expect(row.get_by_role("cell")).to_have_text([east, "12.00", "1", "6.00", "6.00"])
    await expect(row.get_by_role("link")).to_have_attribute("href", f"/prices?by=store&store={east}")


async def test_a_task_that_fails_is_counted_and_told_until_it_succeeds(
    visit: Visit, harness: Harness
) -> None:
    def run(seconds: int, status: RunStatus) -> RunRecord:
        began = datetime.now(UTC) + timedelta(seconds=seconds)
        error = None if status is RunStatus.SUCCEEDED else "there is no such batch"
        return RunRecord(
            run_id=uuid4(),
            task=_TASK,
            job_id=uuid4().hex,
            worker_id="somebody",
            attempt=1,
            status=status,
            started_at=began,
            finished_at=began,
            error_message=error,
        )

    page = await visit.open("/")
    tasks = figures(page)[3]
    await expect(tasks).not_to_contain_text("–")
    failed = [run(number, RunStatus.FAILED) for number in range(3)]
    async with harness.resources.sessions.begin() as session:
        await record_runs(session, failed)
    await expect(tasks).to_have_attribute("title", _TASK)
    await expect(tasks).to_contain_text("1")
    alert = page.locator(".finding").filter(has_text=f"{_TASK} failed the last 3 times it ran")
    await expect(alert).to_contain_text("Its last error: there is no such batch")
    await alert.get_by_role("link", name="Show").click()
    await page.wait_for_url(f"**/tasks?task={_TASK}&status=failed")
    for each in failed:
        await expect(page.locator(f'tbody a[href="/tasks/{each.job_id}"]')).to_be_visible()

    page = await visit.open("/")
    async with harness.resources.sessions.begin() as session:
        await record_runs(session, [run(4, RunStatus.SUCCEEDED)])
    await expect(page.locator(".finding").filter(has_text=_TASK)).to_have_count(0)
    await expect(figures(page)[3]).not_to_have_attribute("title", _TASK)


async def test_on_a_phone_the_numbers_stand_two_by_two(browser: Browser, harness: Harness) -> None:
    async with visiting(browser, harness, viewport={"width": 390, "height": 844}) as visit:
        page = await visit.open("/")
        await expect(figures(page)[0]).to_contain_text("EUR")
        boxes = [await figure.bounding_box() for figure in figures(page)]
        places = [(round(box["x"]), round(box["y"])) for box in boxes if box is not None]
        (left, top), (right, _), (_, below), last = places
        assert places == [(left, top), (right, top), (left, below), (right, below)]
        assert last == (right, below)
        assert left < right
        assert top < below
        assert await visit.width() <= 390
