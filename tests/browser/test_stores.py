"""The page of stores lists them and adds new ones."""

import pytest
from playwright.async_api import Browser, expect

from flexiprice.access.audit_log import list_audit
from flexiprice.catalog.store_overview import list_store_overviews
from flexiprice.db.clock import database_now
from tests.browser.browser import Visit, visiting
from tests.browser.harness import READ_KEY, Harness


@pytest.mark.small
async def test_a_store_is_added_with_its_time_zone(visit: Visit, harness: Harness) -> None:
    page = await visit.open("/stores")
    card = page.get_by_label("Add a store", exact=True)
    await card.get_by_label("Code").fill("berlin-2")
    await card.get_by_label("Time zone").fill("Europe/Berl")
    await page.get_by_role("option", name="Europe/Berlin").click()
    await card.get_by_role("button", name="Add: the store").click()
    table = page.get_by_label("Stores").first
    await expect(table).to_contain_text("berlin-2")
    await expect(table).to_contain_text("Europe/Berlin")
    async with harness.resources.sessions() as session:
        entry = (await list_audit(session, limit=1))[0]
    assert (entry.action, entry.target, entry.source) == ("create_store", "berlin-2", "monitor")


async def test_the_stores_are_there_with_the_page(visit: Visit, harness: Harness) -> None:
    async with harness.resources.sessions() as session:
        stores = await list_store_overviews(session, now=await database_now(session))
    await visit.open("/stores")
    served = await (await visit.page.request.get(f"{visit.address}/stores")).text()
    assert {store.today.isoformat() for store in stores if store.today.isoformat() not in served} == set()


async def test_a_code_that_is_none_or_is_taken_is_refused(visit: Visit) -> None:
    page = await visit.open("/stores")
    card = page.get_by_label("Add a store", exact=True)
    for code, reason in (("Berlin Mitte", "lower-case letters"), ("main", "already exists")):
        await card.get_by_label("Code").fill(code)
        await card.get_by_role("button", name="Add: the store").click()
        await expect(page.get_by_role("alert").filter(has_text=reason)).to_be_visible()


async def test_a_read_only_key_adds_no_store(browser: Browser, harness: Harness) -> None:
    async with visiting(browser, harness, key=READ_KEY) as visit:
        page = await visit.open("/stores")
        await expect(page.get_by_role("button", name="Add: the store")).to_be_disabled()
