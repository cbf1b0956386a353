"""One browser and one harness for all tests. Without a browser tests skip, and fail in CI.

`pytest tests/browser` runs all of them, a run of everything only those that are marked as `small`.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from redis import Redis

from flexiprice.embedded.servers import ServerUrls
from tests.browser.browser import CHROMIUM, Visit, chromium, visiting
from tests.browser.harness import READ_KEY, Harness, open_harness
from tests.browser.shop import Shop, open_shop
from tests.support import servers

_HERE = Path(__file__).parent
# A page updates itself every second; a busy machine takes longer.
expect.set_options(timeout=60_000)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "browser: drives a browser; all but the `small` ones by `make browser`"
    )
    config.addinivalue_line("markers", "small: of the browser tests, one that every check runs")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    named = any("browser" in str(argument) for argument in config.args)
    ours = [item for item in items if item.path.is_relative_to(_HERE)]
    for item in ours:
        item.add_marker("browser")
        item.add_marker(pytest.mark.xdist_group("browser"))
        # One loop for all, because they share browser and harness.
        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    left_out = [item for item in ours if not named and item.get_closest_marker("small") is None]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def installed_browser() -> None:
    """Makes sure that there is a browser."""
    if not CHROMIUM.exists():
        reason = f"no browser at {CHROMIUM}: install chromium, or set FLEXIPRICE_TEST_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def browser_database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """The database of the harness."""
    with servers.database(postgres_url, servers.unique("browser"), template=template_database) as url:
        yield url


@pytest.fixture(scope="session")
def browser_redis_url(server_urls: ServerUrls) -> Iterator[str]:
    """A database of Redis that no other test empties."""
    url = servers.with_database(server_urls.redis_url, "9")
    yield url
    with Redis.from_url(url) as redis:
        redis.flushdb()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def harness(
    installed_browser: None,
    browser_database_url: str,
    browser_redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Harness]:
    """The monitor, a worker and servers."""
    folder = tmp_path_factory.mktemp("stage")
    async with open_harness(browser_database_url, browser_redis_url, folder) as harness:
        yield harness
    # NiceGUI kept nothing of its users on the server.
    assert not (folder / ".nicegui").exists()


@pytest.fixture(scope="session")
def shop_database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """The database of the shop."""
    with servers.database(postgres_url, servers.unique("shop"), template=template_database) as url:
        yield url


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shop(
    installed_browser: None,
    shop_database_url: str,
    server_urls: ServerUrls,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Shop]:
    """A harness of its own with data for every page; tests do not change it."""
    redis_url = servers.with_database(server_urls.redis_url, "10")
    async with open_harness(shop_database_url, redis_url, tmp_path_factory.mktemp("shop")) as harness:
        yield await open_shop(harness)
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(installed_browser: None) -> AsyncIterator[Browser]:
    """The browser."""
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def visit(browser: Browser, harness: Harness) -> AsyncIterator[Visit]:
    """A window of a user who has logged in with the full key."""
    async with visiting(browser, harness) as visit:
        yield visit


@pytest_asyncio.fixture(loop_scope="session")
async def onlooker(browser: Browser, harness: Harness) -> AsyncIterator[Visit]:
    """A window of a read-only viewer."""
    async with visiting(browser, harness, key=READ_KEY) as visit:
        yield visit
