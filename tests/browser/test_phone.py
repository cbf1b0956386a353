"""The monitor on a phone: pages are three screens high at most."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.browser import visiting
from tests.browser.shop import PAGES, Shop

_PHONE = {"width": 390, "height": 844}
_MOST_SCREENS = 3


async def test_no_page_of_a_busy_shop_is_higher_than_three_screens_or_wider_than_one(
    browser: Browser, shop: Shop
) -> None:
    heights: dict[str, float] = {}
    async with visiting(browser, shop.harness, viewport=_PHONE) as visit:
        for path, shown in PAGES.items():
            await visit.open(path.format(failed=shop.failed, running=shop.running))
            await expect(visit.page.locator("#content")).to_contain_text(shown)
            await visit.until_drawn()
            assert await visit.width() == _PHONE["width"], path
            heights[path] = await visit.height() / _PHONE["height"]
    too_high = {path: screens for path, screens in heights.items() if screens > _MOST_SCREENS}
    assert not too_high, too_high


@pytest.mark.parametrize(
    ("path", "rows"), [("/dead-letters", "tbody tr"), ("/audit", "tbody tr"), ("/tasks", ".task-card")]
)
async def test_a_long_table_is_folded_until_all_of_it_is_asked_for(
    browser: Browser, shop: Shop, path: str, rows: str
) -> None:
    async with visiting(browser, shop.harness, viewport=_PHONE) as visit:
        page = await visit.open(path)
        shown = page.locator(rows).filter(visible=True)
        await expect(shown).to_have_count(10)
        there = await page.locator(rows).count()
        await page.get_by_role("button", name=f"Show all {there}").click()
        await expect(shown).to_have_count(there)
        await expect(page.get_by_role("button", name="Show all")).to_have_count(0)


async def test_nothing_is_folded_on_a_desk(browser: Browser, shop: Shop) -> None:
    async with visiting(browser, shop.harness, viewport={"width": 1280, "height": 800}) as visit:
        page = await visit.open("/dead-letters")
        await expect(page.locator("tbody tr").filter(visible=True)).to_have_count(60)
        await expect(page.get_by_role("button", name="Show all")).to_have_count(0)
