"""axe-core finds no violation on any page: light and dark, on a desktop and on a phone."""

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.browser import Visit, visiting
from tests.browser.shop import MANUAL, PAGES, Shop
from tests.support.external_tools import NODE_TOOLS, require

_AXE = NODE_TOOLS / "axe-core" / "axe.min.js"
_WIDTHS = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
_NOT_FOUND = "Failed to load resource: the server responded with a status of 404 (Not Found)"
_UNAUTHORIZED = "Failed to load resource: the server responded with a status of 401 (Unauthorized)"
_JUDGE = """async () => {
    const found = await axe.run(document, { resultTypes: ['violations'] });
    return found.violations.map(({ id, impact, help, nodes }) => ({
        id, impact, help, where: nodes.map(node => `${node.html} ${node.failureSummary}`).slice(0, 2),
    }));
}"""


async def _faults(visit: Visit) -> list[str]:
    """The violations that axe finds on the page, of every impact."""
    await visit.until_drawn()
    # By the debugger, which no content security policy hinders.
    await visit.page.evaluate(_AXE.read_text())
    found: list[dict[str, Any]] = await visit.page.evaluate(_JUDGE)
    return [f"{visit.page.url}: {each['impact']}: {each['help']}: {each['where']}" for each in found]


@pytest.fixture(params=[(width, scheme) for width in _WIDTHS for scheme in ("light", "dark")], ids="-".join)
def window(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A window's size and colours."""
    require(_AXE)
    width, scheme = request.param
    return {"viewport": _WIDTHS[width], "color_scheme": scheme}


async def test_axe_finds_nothing_on_any_page(browser: Browser, shop: Shop, window: dict[str, Any]) -> None:
    faults: list[str] = []
    async with visiting(browser, shop.harness, **window) as visit:
        for path, shown in (PAGES | MANUAL).items():
            await visit.open(path.format(failed=shop.failed, running=shop.running))
            await expect(visit.page.locator("#content")).to_contain_text(shown)
            faults += await _faults(visit)
    assert not faults, "\n".join(faults)


async def test_axe_finds_nothing_where_there_is_no_page(
    browser: Browser, shop: Shop, window: dict[str, Any]
) -> None:
    async with visiting(browser, shop.harness, **window) as visit:
        await visit.open("/there-is-no-such-page")
        await expect(visit.page.locator("#content")).to_contain_text("There is no such page")
        assert await _faults(visit) == []
        visit.complaints.remove(_NOT_FOUND)


async def test_axe_finds_nothing_at_the_login(browser: Browser, shop: Shop, window: dict[str, Any]) -> None:
    async with visiting(browser, shop.harness, key=None, **window) as visit:
        page = visit.page
        await page.goto(f"{shop.harness.address}/login")
        assert await _faults(visit) == []
        await page.get_by_label("API key").fill("a-key-that-is-nobody's")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_contain_text("not a valid key")
        assert await _faults(visit) == []
        visit.complaints.remove(_UNAUTHORIZED)
