"""The audit page shows actor, action, values before and after, address and outcome."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from playwright.async_api import Browser, expect

from flexiprice.access.audit_log import AuditEvent, record_audit
from flexiprice.catalog.batches import create_batch
from flexiprice.catalog.products import change_product, create_product
from flexiprice.db.clock import database_now
from flexiprice.domain.audit import AuditOutcome, AuditSource
from flexiprice.pricing.batch_deletion import delete_batch
from tests.browser.browser import visiting
from tests.browser.harness import Harness

GUESS = AuditEvent(
    actor="nobody",
    source=AuditSource.MONITOR,
    action="sign_in",
    target="monitor",
    address="10.4.0.99",
    outcome=AuditOutcome.REFUSED,
    details={"reason": "nobody has this key", "times": 12},
)


def by_till(action: str) -> AuditEvent:
    return AuditEvent(actor="till-import", source=AuditSource.API, action=action, address="10.4.0.17")


async def write_entries(harness: Harness, sku: str) -> None:
    """Records a price change, a deletion and a wrong key."""
    async with harness.resources.sessions.begin() as session:
        now = await database_now(session)
        await create_product(session, sku=sku, name="Omelette", category="Deli", base_price=Decimal("5.00"))
        await change_product(session, sku, {"base_price": Decimal("4.00")})
        await record_audit(session, [by_till("change_product")])
        expiry = date(2027, 3, 31)
        batch = await create_batch(
            session, sku=sku, store="main", lot="", expiry_date=expiry, quantity=7, now=now
        )
        await delete_batch(session, batch.batch_id, now=now)
        await record_audit(session, [by_till("delete_batch")])
        await record_audit(session, [GUESS])


@pytest.mark.parametrize(
    "window",
    [
        {"viewport": {"width": 1280, "height": 900}},
        {"viewport": {"width": 390, "height": 900}, "color_scheme": "dark"},
    ],
    ids=["1280-light", "390-dark"],
)
async def test_audit_entry_shows_actor_action_values_address_and_outcome(
    browser: Browser, harness: Harness, window: Mapping[str, object]
) -> None:
    width = window["viewport"]["width"]
    sku = f"OMN-{width}-" + 50 * "X"
    await write_entries(harness, sku)
    async with visiting(browser, harness, **window) as visit:
        page = await visit.open(f"/audit?to={sku.lower()}")
        deleted, price = page.locator("tbody tr").first, page.locator("tbody tr").last
        for told in ("till-import", "API", "10.4.0.17", f"change product {sku}", "5.00 → 4.00", "done"):
            await expect(price).to_contain_text(told)
        await expect(deleted).to_contain_text(f"delete batch {sku} in main, expires 2027-03-31")
        await expect(deleted).to_contain_text("quantity was 7")

        await visit.open("/audit?outcome=refused&from=10.4.0.99")
        guess = page.locator("tbody tr").first
        for told in (
            "nobody",
            "monitor",
            "sign in to the monitor",
            "nobody has this key (12 times)",
            "refused",
        ):
            await expect(guess).to_contain_text(told)
        # With any entry, the page is as wide as the window and shows no JSON.
        await visit.open("/audit")
        assert await visit.width() <= width
        await expect(page.locator("tbody")).not_to_contain_text('{"')


async def test_entries_are_found_by_target_outcome_address_and_time(
    browser: Browser, harness: Harness
) -> None:
    await write_entries(harness, "OMN-2")
    async with visiting(browser, harness) as visit:
        page = await visit.open("/audit")
        rows = page.locator("tbody tr")
        await page.get_by_label("Outcome").select_option("refused")
        await page.get_by_label("From").fill("10.4.0.99")
        await page.get_by_role("button", name="Filter").click()
        await expect(rows.first).to_contain_text("sign in to the monitor")
        await expect(page.get_by_text("OMN-2")).to_have_count(0)

        await visit.open("/audit?to=omn-2")
        await expect(rows).to_have_count(2)
        tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
        await visit.open(f"/audit?since={tomorrow}")
        await expect(page.get_by_text("No entry matches the filter")).to_be_visible()
        await visit.open("/audit?since=yesterday")
        await expect(page.get_by_text("Since (UTC) is invalid")).to_be_visible()
