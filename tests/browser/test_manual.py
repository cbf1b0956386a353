"""The manual in the monitor: found in the navigation, linked among its pages, not shown to strangers."""

import httpx
from playwright.async_api import Browser, expect

from flexiprice.docs.pages import all_pages
from tests.browser.browser import Visit, visiting
from tests.browser.harness import Harness


async def test_help_lists_every_page_and_a_page_leads_to_others(visit: Visit) -> None:
    page = await visit.open("/queues")
    await page.get_by_role("navigation", name="Pages", exact=True).get_by_role("link", name="Help").click()
    contents = page.get_by_role("navigation", name="Pages of the manual")
    await expect(contents.get_by_role("link")).to_have_text([each.title for each in all_pages()])
    await contents.get_by_role("link", name="Metrics", exact=True).click()
    await expect(page).to_have_url(f"{visit.address}/help/reference/metrics")
    await expect(page).to_have_title("Metrics · Help · FlexiPrice")
    await page.get_by_role("link", name="FLEXIPRICE_METRICS_KEY", exact=True).click()
    await expect(page).to_have_url(f"{visit.address}/help/reference/settings#servers-and-access")
    await expect(page.get_by_role("cell", name="FLEXIPRICE_METRICS_KEY", exact=True)).to_be_visible()


async def test_a_page_is_opened_at_the_heading_that_the_address_names(visit: Visit) -> None:
    page = await visit.open("/help/reference/settings#logs")
    await expect(page.get_by_role("heading", name="Logs")).to_be_in_viewport()
    await expect(page.get_by_role("heading", name="Servers and access")).not_to_be_in_viewport()


async def test_unknown_page_of_the_manual_names_the_nearest(visit: Visit) -> None:
    page = await visit.open("/help/setings")
    await expect(page.get_by_role("alert")).to_contain_text("reference/settings")


async def test_a_long_page_is_no_wider_than_a_phone(browser: Browser, harness: Harness) -> None:
    async with visiting(browser, harness, viewport={"width": 390, "height": 844}) as visit:
        await visit.open("/help/reference/cli")
        await visit.until_drawn()
        assert await visit.width() == 390


async def test_manual_is_shown_only_after_sign_in(harness: Harness) -> None:
    async with httpx.AsyncClient(base_url=harness.address) as stranger:
        for path in ("/help", "/help/reference/settings", "/help/images/monitor-overview.png"):
            refused = await stranger.get(path)
            assert refused.status_code == 303
            assert refused.headers["location"].startswith("/login?next=%2Fhelp")
