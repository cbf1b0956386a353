"""The monitor in Chromium behind nginx: every link and request stays under the path."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from api.monitor.layout import SECTIONS
from tests.browser.browser import CHROMIUM, chromium, visiting
from tests.contracts.nginx import Prefix, Proxy, nginx_before
from tests.contracts.programs import KEY, PATH, Programs, Told
from tests.support.external_tools import require
from tests.support.processes import flexiprice

pytestmark = [
    pytest.mark.contracts,
    pytest.mark.parametrize("programs", [Told.BY_SETTING], indirect=True),
]
LEADING = "els => els.map(e => e.getAttribute('href') || e.getAttribute('action') || e.getAttribute('src'))"


@pytest.fixture(params=Prefix)
def proxy(request: pytest.FixtureRequest, programs: Programs, tmp_path: Path) -> Iterator[Proxy]:
    """nginx as the manual sets it up."""
    require(CHROMIUM, install="apt-get install chromium")
    with nginx_before(programs, tmp_path / "nginx", request.param, tells=True) as running:
        yield running


def sign_in_address(programs: Programs, proxy: Proxy, folder: Path) -> str:
    command = flexiprice("keys", "sign-in", "--monitor", proxy.address, "--json")
    said = subprocess.run(
        command,
        cwd=folder,
        env=programs.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    return str(json.loads(said.stdout)["address"])


def enqueued_task(proxy: Proxy) -> str:
    """The path of the page of a task."""
    address = f"{proxy.address}{PATH}/api/v1/admin/discounts/trigger-recompute"
    started = httpx.post(address, headers={"X-API-Key": KEY}, trust_env=False, timeout=60)
    return f"/tasks/{started.json()['task_id']}"


async def test_every_page_is_in_touch_and_leads_nowhere_else(
    programs: Programs, proxy: Proxy, tmp_path: Path
) -> None:
    place = proxy.address + PATH
    async with chromium() as browser, visiting(browser, proxy, key=None) as visit:
        page = visit.page
        await page.goto(sign_in_address(programs, proxy, tmp_path))
        await expect(page).to_have_url(f"{place}/")
        for path in (*(section.path for section in SECTIONS), enqueued_task(proxy), "/prices?search=rye"):
            await visit.open(PATH + path)
            # A missing style sheet is a recorded error; forms and links are followed below.
            led = await page.locator("a[href], form[action], img[src], link[href]").evaluate_all(LEADING)
            assert f"{PATH}/audit" in led
            assert [each for each in led if not each.startswith((f"{PATH}/", "#", "data:"))] == [], path
        await page.get_by_role("link", name="Tasks").click()
        await expect(page).to_have_url(f"{place}/tasks")
        visit.expect_nothing_amiss()


async def test_logging_in_filtering_and_logging_out_stay_under_the_path(proxy: Proxy) -> None:
    place = proxy.address + PATH
    async with chromium() as browser, visiting(browser, proxy, key=None) as visit:
        page = visit.page
        await page.goto(f"{place}/tasks")
        await expect(page).to_have_url(f"{place}/login?next=%2Ftasks")
        await page.get_by_label("API key").fill(KEY)
        await page.get_by_role("button", name="Log in").click()
        await expect(page).to_have_url(f"{place}/tasks")
        await page.wait_for_function("window.did_handshake === true")
        await page.get_by_role("button", name="Light or dark").click()
        await page.get_by_text("Dark", exact=True).click()
        # By the socket, and kept for this path alone.
        await page.wait_for_function("document.cookie.includes('theme=dark')")
        kept = {str(cookie.get("name")): cookie.get("path") for cookie in await page.context.cookies()}
        assert kept == {"flexiprice_monitor": f"{PATH}/", "theme": f"{PATH}/"}
        await page.get_by_role("button", name="Started").click()
        await expect(page).to_have_url(f"{place}/tasks?dir=asc")
        await page.get_by_role("button", name="Who is logged in").click()
        await page.get_by_role("button", name="Log out").click()
        await expect(page).to_have_url(f"{place}/login")
        await page.goto(f"{place}/tasks")
        await expect(page).to_have_url(f"{place}/login?next=%2Ftasks")
