"""A worker's metrics are served also while Redis is away or the event loop is blocked."""

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from flexiprice.errors import InvalidSettings
from flexiprice.metrics import Metrics
from flexiprice.snapshots import WorkersSnapshot
from workers.runtime.monitoring.metrics_server import serving_metrics

KEYS = (SecretStr("the key of the API"), SecretStr("the kéy of Prometheus"))


async def two_workers() -> WorkersSnapshot:
    """A snapshot."""
    return WorkersSnapshot(workers_alive=2)


TWO_WORKERS: Any = {"host": "127.0.0.1", "snapshot": two_workers}


def scrape(port: int) -> httpx.Response:
    """A scrape by Prometheus."""
    headers = {"Authorization": f"Bearer {KEYS[1].get_secret_value()}".encode()}
    return httpx.get(f"http://127.0.0.1:{port}/metrics", headers=headers, trust_env=False, timeout=10)


async def test_a_scrape_reads_what_the_process_measured_and_what_redis_knows() -> None:
    metrics = Metrics()
    metrics.record_recovered()
    async with serving_metrics(metrics, port=0, keys=KEYS, **TWO_WORKERS) as port:
        response = await asyncio.to_thread(scrape, port)
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert "flexiprice_jobs_recovered_total 1.0" in response.text
    assert "flexiprice_workers_alive 2.0" in response.text


async def test_a_scrape_while_redis_is_away_reads_the_rest() -> None:
    async def away() -> WorkersSnapshot:
        raise ConnectionError("Redis is away")

    async with serving_metrics(Metrics(), host="127.0.0.1", port=0, keys=KEYS, snapshot=away) as port:
        response = await asyncio.to_thread(scrape, port)
    assert response.status_code == 200
    assert "flexiprice_jobs_recovered_total 0.0" in response.text
    assert "flexiprice_workers_alive" not in response.text


async def test_a_scrape_while_the_loop_is_blocked_reads_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.runtime.monitoring.metrics_server._SNAPSHOT_SECONDS", 0.05)
    async with serving_metrics(Metrics(), port=0, keys=KEYS, **TWO_WORKERS) as port:
        with ThreadPoolExecutor() as pool:
            answer = pool.submit(scrape, port)
            deadline = time.monotonic() + 120
            while not answer.done() and time.monotonic() < deadline:
                time.sleep(0.01)  # noqa: ASYNC251 -- blocks the loop, which is the point
            response = answer.result(0)
    assert "flexiprice_event_loop_blocks_total" in response.text
    assert "flexiprice_workers_alive" not in response.text


async def test_metrics_server_frees_its_port() -> None:
    async with serving_metrics(Metrics(), port=0, keys=KEYS, **TWO_WORKERS) as port:
        pass
    with pytest.raises(httpx.ConnectError):
        await asyncio.to_thread(scrape, port)
    async with serving_metrics(Metrics(), port=port, keys=KEYS, **TWO_WORKERS) as again:
        assert again == port


async def test_a_port_that_is_in_use_stops_the_start_with_the_name_of_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidSettings, match=f"FLEXIPRICE_WORKER_METRICS_PORT: port {port} on 127"):
            async with serving_metrics(Metrics(), port=port, keys=KEYS, **TWO_WORKERS):
                pass


@pytest.mark.parametrize("keys", [KEYS, ()])
async def test_a_scrape_without_a_key_reads_nothing_and_learns_how_to_set_one(
    keys: tuple[SecretStr, ...],
) -> None:
    async with serving_metrics(Metrics(), port=0, keys=keys, **TWO_WORKERS) as port:
        guesses = ({}, {"Authorization": "Bearer guessed"}, {"X-API-Key": ""}, {"Authorization": "Bearer"})
        for headers in guesses:
            response = await asyncio.to_thread(
                httpx.get, f"http://127.0.0.1:{port}/metrics", headers=headers, trust_env=False
            )
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert "FLEXIPRICE_METRICS_KEY" in response.text
            assert "flexiprice_" not in response.text
