"""axe-core judges every page: by day and by night, on a desk and on a phone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from flexiprice.cli.sample import load_sample
from flexiprice.jobs.queues import list_queues
from tests.browser.browser import Visit, visiting
from tests.browser.stage import Stage, until
from tests.contracts.tools import NODE_TOOLS, require
from tests.workers.toy_tasks import FAIL

_AXE = NODE_TOOLS / "axe-core" / "axe.min.js"
_SERIOUS = {"serious", "critical"}
_PAGES = (
    *("/", "/tasks", "/dead-letters", "/workers", "/queues", "/schedules", "/statistics", "/prices"),
    *("/broker", "/audit", "/tasks/no-such-task", "/there-is-no-such-page"),
)
_WIDTHS = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
_JUDGE = """async () => {
    const found = await axe.run(document, { resultTypes: ['violations'] });
    return found.violations.map(({ id, impact, help, nodes }) => ({
        id, impact, help, where: nodes.map(node => `${node.html} ${node.failureSummary}`).slice(0, 5),
    }));
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def failed_task(stage: Stage) -> AsyncIterator[str]:
    """A shop with prices, and a task that failed, so that pages have something to show."""
    require(_AXE)
    await load_sample(stage.resources.settings)
    job = await stage.resources.tasks.enqueue(FAIL, arguments={"kind": "ours"})

    async def idle() -> bool:
        states = await list_queues(stage.resources.tasks)
        return not any(state.waiting + state.running for state in states)

    await until(idle)
    yield job.job_id


async def _serious(visit: Visit) -> list[Any]:
    # By the debugger, which no content security policy hinders.
    await visit.page.evaluate(_AXE.read_text())
    found: list[dict[str, Any]] = await visit.page.evaluate(_JUDGE)
    return [each for each in found if each["impact"] in _SERIOUS]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", _WIDTHS)
async def test_axe_finds_nothing_serious(
    browser: Browser, stage: Stage, failed_task: str, width: str, scheme: str
) -> None:
    found: dict[str, list[Any]] = {}
    window = {"viewport": _WIDTHS[width], "color_scheme": scheme}
    async with visiting(browser, stage, **window) as visit:
        for path in (*_PAGES, f"/tasks/{failed_task}", "/prices?sku=MILK-1L#product"):
            await visit.open(path)
            await visit.page.wait_for_timeout(500)
            found[path] = await _serious(visit)
        # What the browser says of every answer that is an error.
        visit.complaints[:] = [each for each in visit.complaints if "404" not in each]
    async with visiting(browser, stage, key=None, **window) as visit:
        await visit.page.goto(f"{stage.address}/login")
        found["/login"] = await _serious(visit)
        await visit.page.get_by_label("API key").fill("a-key-that-is-nobody's")
        await visit.page.get_by_role("button", name="Log in").click()
        await visit.page.get_by_role("alert").wait_for()
        found["/login, refused"] = await _serious(visit)
        visit.complaints.clear()
    faults = [
        f"{path}: {fault['help']}: {fault['where'][:2]}" for path, faults in found.items() for fault in faults
    ]
    assert not faults, "\n".join(faults)
