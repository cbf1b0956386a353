"""What Prometheus reads from the API, with a key."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from httpx import AsyncClient
from prometheus_client.parser import text_string_to_metric_families

from flexiprice.domain.access import Scope
from flexiprice.jobs.declarations import CLEANUP_EXPIRED_DISCOUNTS
from flexiprice.resources import open_database
from flexiprice.services.api_keys import create_api_key
from flexiprice.settings import Settings, load_settings
from tests.api.catalogue import ADMIN
from tests.api.conftest import serve
from tests.workers.conftest import until

METRICS_KEY = "the-key-of-the-metrics"
Series = dict[tuple[str, str], float]


async def scrape(client: AsyncClient) -> Series:
    """The series by name and by their label, where they have one."""
    response = await client.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


@pytest.fixture
async def scraper(shared_database_url: str, redis_url: str) -> AsyncIterator[AsyncClient]:
    """Prometheus, on another machine, with the key that is made for it."""
    settings = load_settings(
        env_files=(), database_url=shared_database_url, redis_url=redis_url, metrics_key=METRICS_KEY
    )
    headers = {"Authorization": f"Bearer {METRICS_KEY}"}
    async with serve(settings, peer="203.0.113.9", headers=headers) as client:
        yield client


async def test_it_tells_how_queues_workers_schedules_and_the_pool_are(scraper: AsyncClient) -> None:
    tasks = scraper.app.state.resources.tasks
    await tasks.enqueue(CLEANUP_EXPIRED_DISCOUNTS)
    read = await scrape(scraper)
    assert read["flexiprice_queue_depth", "maintenance"] == 1
    assert read["flexiprice_queue_depth", "discounts"] == 0
    assert 0 <= read["flexiprice_queue_oldest_waiting_seconds", "maintenance"] < 20
    assert read["flexiprice_queue_running", "maintenance"] == 0
    assert read["flexiprice_workers_alive", ""] == 0
    assert read["flexiprice_schedule_lag_seconds", "cleanup_expired_discounts"] == 0
    assert read["flexiprice_database_connections_max", ""] == 10


async def test_without_redis_it_tells_the_rest(client_without_redis: AsyncClient) -> None:
    read = await scrape(client_without_redis)
    assert ("flexiprice_database_connections_max", "") in read
    assert ("flexiprice_workers_alive", "") not in read


async def test_it_tells_how_late_its_own_event_loop_is(scraper: AsyncClient) -> None:
    async def measured() -> bool:
        return (await scrape(scraper))["flexiprice_event_loop_lag_seconds_count", ""] > 0

    await until(measured)


async def test_its_key_opens_the_metrics_and_nothing_else(scraper: AsyncClient) -> None:
    response = await scraper.get(f"{ADMIN}/stores")
    assert response.status_code == 403
    assert "`read`" in response.json()["detail"]


async def test_any_other_key_reads_them_with_the_scope_read_alone(
    settings: Settings,
) -> None:
    async with (
        open_database(settings, program="flexiprice-tests") as database,
        database.sessions.begin() as s,
    ):
        keys = {
            scope: (await create_api_key(s, name=scope.value, scopes=[scope], now=datetime.now(UTC))).key
            for scope in Scope
        }
    async with serve(settings) as client:
        statuses = {
            scope: (await client.get("/metrics", headers={"X-API-Key": key})).status_code
            for scope, key in keys.items()
        }
    assert statuses == dict.fromkeys(Scope, 403) | {Scope.READ: 200, Scope.ADMIN: 200}
