"""Pages name a server that is away and continue when it is back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from flexiprice.db.migrate import upgrade
from tests.browser.browser import visiting
from tests.browser.harness import open_harness
from tests.support.breakable_servers import BreakableServers, breakable_servers

RECOVERY_MS = 40_000


@pytest.fixture
def migrated_servers() -> Iterator[BreakableServers]:
    with breakable_servers() as servers:
        upgrade(servers.database_url)
        yield servers


async def test_pages_say_which_server_is_away_and_go_on_when_it_is_back(
    browser: Browser, migrated_servers: BreakableServers, tmp_path: Path
) -> None:
    servers = migrated_servers
    async with (
        open_harness(servers.database_url, servers.redis_url, tmp_path) as harness,
        visiting(browser, harness) as visit,
    ):
        page = await visit.open("/queues")
        status = page.get_by_role("status")
        await expect(status).to_contain_text("All is well", timeout=RECOVERY_MS)

        servers.stop_redis()
        await expect(status).to_contain_text("Redis does not answer", timeout=RECOVERY_MS)
        await expect(page.get_by_role("alert").first).to_contain_text("the queues are shown as last read")
        await visit.open("/")
        await expect(page.locator(".findings")).to_contain_text("no task is lost")
        servers.start_redis()
        await expect(status).to_contain_text("All is well", timeout=RECOVERY_MS)

        servers.stop_postgres()
        await expect(status).to_contain_text("PostgreSQL does not answer", timeout=RECOVERY_MS)
        await visit.open("/audit")
        await expect(page.get_by_role("alert").first).to_contain_text("the database does not answer")
        servers.start_postgres()
        await expect(page.get_by_role("alert").first).not_to_be_visible(timeout=RECOVERY_MS)
        await expect(status).to_contain_text("All is well", timeout=RECOVERY_MS)
