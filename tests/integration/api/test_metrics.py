"""The API's metrics, as Prometheus reads them with a key."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from httpx import AsyncClient
from prometheus_client.parser import text_string_to_metric_families

from api.routers import metrics
from flexiprice.access.api_keys import create_api_key
from flexiprice.domain.access import Scope
from flexiprice.pricing.recompute import recompute_all_discounts
from flexiprice.queue.declarations import CLEANUP_EXPIRED_DISCOUNTS
from flexiprice.resources import open_database
from flexiprice.runs.recording import record_runs
from flexiprice.settings import Settings, load_settings
from tests.support.api_server import serve
from tests.support.builders import a_batch, a_product, an_active_policy
from tests.support.catalogue import ADMIN
from tests.support.run_records import NOON, SECOND, ended, started
from tests.support.waiting import until

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


@pytest.fixture(autouse=True)
def patient_scrapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer than a scrape waits for Redis and PostgreSQL."""
    monkeypatch.setattr(metrics, "_READ_TIMEOUT_SECONDS", 120.0)


@pytest.fixture
async def scraper(shared_database_url: str, redis_url: str) -> AsyncIterator[AsyncClient]:
    """Prometheus, on another machine, with the key that is made for it."""
    settings = load_settings(
        env_files=(), database_url=shared_database_url, redis_url=redis_url, metrics_key=METRICS_KEY
    )
    headers = {"Authorization": f"Bearer {METRICS_KEY}"}
    async with serve(settings, peer="203.0.113.9", headers=headers) as client:
        yield client


async def test_metrics_report_queues_workers_schedules_and_the_pool(scraper: AsyncClient) -> None:
    tasks = scraper.app.state.resources.tasks
    began = time.monotonic()
    await tasks.enqueue(CLEANUP_EXPIRED_DISCOUNTS)
    read = await scrape(scraper)
    # Redis counts milliseconds, and from one that had begun.
    waited = time.monotonic() - began + 0.01
    assert read["flexiprice_queue_depth", "maintenance"] == 1
    assert read["flexiprice_queue_depth", "discounts"] == 0
    assert 0 <= read["flexiprice_queue_oldest_waiting_seconds", "maintenance"] <= waited
    assert read["flexiprice_queue_running", "maintenance"] == 0
    assert read["flexiprice_workers_alive", ""] == 0
    assert read["flexiprice_schedule_lag_seconds", "cleanup_expired_discounts"] == 0
    assert read["flexiprice_database_connections_max", ""] == 10


async def test_metrics_without_redis_report_the_rest(client_without_redis: AsyncClient) -> None:
    read = await scrape(client_without_redis)
    assert ("flexiprice_database_connections_max", "") in read
    assert ("flexiprice_workers_alive", "") not in read


async def test_metrics_without_the_database_report_that_and_the_rest(
    client_without_database: AsyncClient,
) -> None:
    read = await scrape(client_without_database)
    assert read["flexiprice_database_takes_work", ""] == 0
    assert ("flexiprice_discounts_open", "") not in read
    assert read["flexiprice_workers_alive", ""] == 0


async def test_metrics_report_discounts_and_the_last_recompute(client: AsyncClient) -> None:
    app = client.app
    async with app.state.resources.sessions.begin() as session:
        await an_active_policy(session)
        await a_batch(
            session, await a_product(session, base_price="4.00"), expiry_date=datetime.now(UTC).date()
        )
        await recompute_all_discounts(session, now=datetime.now(UTC), days_threshold=30)
        await record_runs(session, [ended(started())])
    read = await scrape(client)
    assert read["flexiprice_discounts_open", ""] == 1
    assert read["flexiprice_discounts_expired", ""] == 0
    assert read["flexiprice_database_takes_work", ""] == 1
    ended_at = read["flexiprice_task_last_success_timestamp_seconds", "recompute_all_discounts"]
    assert ended_at == (NOON + 2 * SECOND).timestamp()


async def test_request_metrics_leave_out_health_checks_and_scrapes(reader: AsyncClient) -> None:
    for path in ("/api/v1/prices/absent", "/api/v1/health/live", "/api/v1/health/ready", f"{ADMIN}/stores"):
        await reader.get(path)
    read = await scrape(reader)
    name = "flexiprice_api_request_duration_seconds_count"
    assert {status: read[name, status] for status in ("2xx", "3xx", "4xx", "5xx")} == {
        "2xx": 1,
        "3xx": 0,
        "4xx": 1,
        "5xx": 0,
    }


async def test_a_path_prefix_changes_nothing_about_what_is_counted(shared_settings: Settings) -> None:
    async with serve(shared_settings.model_copy(update={"url_prefix": "/shop"})) as client:
        await client.get("/shop/api/v1/health/live")
        await client.get("/shop/metrics")
        read = await scrape(client)
    assert read["flexiprice_api_request_duration_seconds_count", "2xx"] == 0


async def test_an_exception_that_nobody_expected_counts_as_an_answer_of_500(
    reader: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("flexiprice.catalog.stores.list_stores", broken)
    assert (await reader.get(f"{ADMIN}/stores")).status_code == 500
    read = await scrape(reader)
    assert read["flexiprice_api_request_duration_seconds_count", "5xx"] == 1


async def test_metrics_report_the_lag_of_the_apis_event_loop(scraper: AsyncClient) -> None:
    async def measured() -> bool:
        return (await scrape(scraper))["flexiprice_event_loop_lag_seconds_count", ""] > 0

    await until(measured)


async def test_metrics_key_opens_the_metrics_and_nothing_else(scraper: AsyncClient) -> None:
    response = await scraper.get(f"{ADMIN}/stores")
    assert response.status_code == 403
    assert "`read`" in response.json()["detail"]


async def test_metrics_need_the_scope_read_of_any_other_key(
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
