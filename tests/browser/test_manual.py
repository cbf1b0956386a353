"""The manual in the monitor: opened where the address says, not shown to strangers."""

import httpx
from playwright.async_api import expect

from tests.browser.browser import Visit
from tests.browser.stage import Stage


async def test_a_page_is_opened_at_the_heading_that_the_address_names(visit: Visit) -> None:
    page = await visit.open("/help/reference/settings#logs")
    await expect(page.get_by_role("heading", name="Logs")).to_be_in_viewport()
    await expect(page.get_by_role("heading", name="Servers and access")).not_to_be_in_viewport()


async def test_a_page_that_there_is_not_names_the_nearest(visit: Visit) -> None:
    page = await visit.open("/help/setings")
    await expect(page.get_by_role("alert")).to_contain_text("reference/settings")


async def test_the_manual_is_shown_only_to_who_has_logged_in(stage: Stage) -> None:
    async with httpx.AsyncClient(base_url=stage.address) as stranger:
        for path in ("/help", "/help/reference/settings", "/help/images/monitor-overview.png"):
            refused = await stranger.get(path)
            assert refused.status_code == 303
            assert refused.headers["location"].startswith("/login?next=%2Fhelp")
