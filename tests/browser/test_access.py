"""Sign-in, read-only viewers, and sign-out."""

import re
from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser, expect

from flexiprice.access.api_keys import create_api_key, revoke_api_key
from flexiprice.domain.access import Scope
from tests.browser.browser import Visit, visiting
from tests.browser.harness import FULL_KEY, Harness


@pytest.mark.small
async def test_a_wrong_key_is_told_and_a_right_one_leads_to_the_page_that_was_asked_for(
    browser: Browser, harness: Harness
) -> None:
    async with visiting(browser, harness, key=None) as visit:
        page = visit.page
        await page.goto(f"{harness.address}/audit?what=purge_queue")
        await page.get_by_label("API key").fill("a-key-that-is-nobody's")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_contain_text("not a valid key")
        # The browser's message for every error response.
        assert visit.complaints == [
            "Failed to load resource: the server responded with a status of 401 (Unauthorized)"
        ]
        visit.complaints.clear()
        await page.get_by_label("API key").fill(FULL_KEY)
        await page.get_by_role("button", name="Log in").click()
        await expect(page).to_have_url(f"{harness.address}/audit?what=purge_queue")
        (cookie,) = [
            cookie for cookie in await page.context.cookies() if "flexiprice" in str(cookie.get("name"))
        ]
        assert (cookie.get("httpOnly"), cookie.get("sameSite")) == (True, "Lax")
        assert FULL_KEY not in str(cookie.get("value"))


async def test_read_only_viewer_sees_everything_and_can_press_nothing(onlooker: Visit) -> None:
    page = await onlooker.open("/queues")
    await expect(page.get_by_role("heading", name="analytics")).to_be_visible()
    for name in ("Pause: analytics", "Purge: analytics"):
        await expect(page.get_by_role("button", name=name)).to_be_disabled()
    page = await onlooker.open("/schedules")
    await expect(page.get_by_role("button", name="Run now: update_price_history")).to_be_disabled()
    page = await onlooker.open("/workers")
    await expect(page.get_by_role("button", name="Stop:")).to_be_disabled()


async def test_a_change_is_refused_on_the_server_whatever_the_page_lets_press(
    onlooker: Visit, harness: Harness
) -> None:
    page = await onlooker.open("/schedules")
    button = page.get_by_role("button", name="Pause: update_price_history")
    listener = await button.evaluate(
        "e => { const el = mounted_app.elements[+e.id.slice(1)];"
        "return [+e.id.slice(1), el.events.find(event => event.type === 'click').listener_id] }"
    )
    await page.evaluate(
        "([id, listener_id]) => window.socket.emit('event',"
        "{id, client_id: window.clientId, listener_id, args: ['{}']})",
        listener,
    )
    # The server handles the events of a window in their order: once this one shows, the other had its turn.
    await page.get_by_role("button", name="Light or dark").click()
    await page.get_by_text("Dark", exact=True).click()
    await expect(page.locator("body")).to_have_class(re.compile("body--dark"))
    await expect(page.get_by_role("alertdialog")).to_have_count(0)


async def test_logging_out_ends_the_session_in_every_window(visit: Visit, harness: Harness) -> None:
    page = await visit.open("/workers")
    other = Visit(await page.context.new_page(), harness.address)
    await other.open("/queues")
    await page.get_by_role("button", name="Who is logged in").click()
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_label("API key")).to_be_visible()
    # Within a second, and without a click in it.
    await expect(other.page.get_by_label("API key")).to_be_visible()
    await other.page.goto(f"{harness.address}/queues")
    await expect(other.page).to_have_url(f"{harness.address}/login?next=%2Fqueues")


async def test_revoking_a_key_closes_its_pages_which_had_its_rights_until_then(
    browser: Browser, harness: Harness
) -> None:
    sessions, now = harness.resources.sessions, datetime.now(UTC)
    async with sessions.begin() as session:
        issued = await create_api_key(session, name="night-shift", scopes=[Scope.READ, Scope.PRICES], now=now)
    async with visiting(browser, harness, key=issued.key) as visit:
        page = await visit.open("/queues")
        await expect(page.get_by_role("button", name="Purge: analytics")).to_be_disabled()
        await page.get_by_role("button", name="Who is logged in").click()
        await expect(page.locator(".who-menu")).to_contain_text("night-shift")
        await expect(page.locator(".who-menu")).to_contain_text("may reprice")
        async with sessions.begin() as session:
            await revoke_api_key(session, "night-shift", now=datetime.now(UTC))
        await expect(page.get_by_label("API key")).to_be_visible()
