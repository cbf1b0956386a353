"""What Prometheus reads from the API, for which it needs no key."""

from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient
from prometheus_client.parser import text_string_to_metric_families

from flexiprice.jobs.declarations import CLEANUP_EXPIRED_DISCOUNTS
from flexiprice.settings import load_settings
from tests.api.conftest import serve
from tests.workers.conftest import until

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
async def stranger(shared_database_url: str, redis_url: str) -> AsyncIterator[AsyncClient]:
    """A client on another machine, without the key."""
    settings = load_settings(
        env_files=(), database_url=shared_database_url, redis_url=redis_url, api_key="a-key-of-some-length"
    )
    async with serve(settings, peer="203.0.113.9") as client:
        yield client


async def test_it_tells_how_queues_workers_schedules_and_the_pool_are(stranger: AsyncClient) -> None:
    tasks = stranger.app.state.resources.tasks
    await tasks.enqueue(CLEANUP_EXPIRED_DISCOUNTS)
    read = await scrape(stranger)
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


async def test_it_tells_how_late_its_own_event_loop_is(stranger: AsyncClient) -> None:
    async def measured() -> bool:
        return (await scrape(stranger))["flexiprice_event_loop_lag_seconds_count", ""] > 0

    await until(measured)
