"""From `POST` to a readable result, ours against arq's default polling, and what an idle worker costs.

`python -m tests.bench.latency` measures it alone. The shop is one store with a few hundred batches;
the API and the workers are processes, started by the commands that everybody uses.
"""

import asyncio
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import httpx
import psutil

from flexiprice.catalog.sample import load_sample_catalog
from flexiprice.db.migrate import upgrade
from flexiprice.embedded.servers import ServerUrls, temporary_servers
from flexiprice.resources import open_database
from flexiprice.settings import load_settings

OURS: Final = "workers.settings.WorkerSettings"
PLAIN: Final = "tests.bench.plain_arq.WorkerSettings"
API_KEY: Final = "a-key-for-the-benchmark"
_PATIENCE_SECONDS: Final = 30
_ROOT: Final = Path(__file__).parents[2]
_TRIGGER: Final = "/api/v1/admin/discounts/trigger-recompute"
_STATUS: Final = "/api/v1/admin/discounts/task-status/"


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from `POST` to a readable result, by worker."""

    ours: list[float]
    plain: list[float]

    @property
    def ratio(self) -> float:
        """Our median as a part of that of arq's default polling."""
        return median(self.ours) / median(self.plain)


@dataclass(frozen=True, slots=True)
class IdleCost:
    """CPU seconds of an idle worker in so many seconds."""

    cpu_seconds: float
    seconds: float

    @property
    def share(self) -> float:
        """The part of one core that it uses."""
        return self.cpu_seconds / self.seconds


def run(*, requests: int = 60, rounds: int = 3, idle_seconds: float = 30) -> tuple[Latency, IdleCost]:
    """Measures on servers of its own.

    Args:
        requests: per worker and round.
        rounds: in each, first one worker is measured, then the other.
        idle_seconds: how long the idle worker is watched.
    """
    with temporary_servers() as urls:
        upgrade(urls.database_url)
        asyncio.run(_load_shop(urls))
        latency = Latency([], [])
        with _api(urls) as http:
            for _ in range(rounds):
                with _worker(urls, OURS, http):
                    latency.ours.extend(_latencies(http, requests, wait=30))
                with _worker(urls, PLAIN, http):
                    latency.plain.extend(_latencies(http, requests, wait=0))
            with _worker(urls, OURS, http) as worker:
                time.sleep(2)
                before = worker.cpu_times()
                time.sleep(idle_seconds)
                after = worker.cpu_times()
        used = after.user + after.system - before.user - before.system
        return latency, IdleCost(used, idle_seconds)


def _latencies(http: httpx.Client, requests: int, *, wait: int) -> list[float]:
    found: list[float] = []
    for _ in range(requests):
        # So that a poll is met at any of its phases.
        time.sleep(random.uniform(0, 0.5))
        found.append(_latency(http, wait=wait))
    return found


def _latency(http: httpx.Client, *, wait: int) -> float:
    """Milliseconds to a result, by notification, or by polling every few milliseconds without one."""
    started = time.perf_counter()
    task_id = http.post(_TRIGGER).raise_for_status().json()["task_id"]
    while True:
        status = http.get(f"{_STATUS}{task_id}", params={"wait": wait}).raise_for_status().json()
        elapsed = time.perf_counter() - started
        if status["ready"]:
            break
        if elapsed > _PATIENCE_SECONDS:
            raise RuntimeError(f"no worker ran the recompute: {status}")
        time.sleep(0.002)
    if status["status"] != "succeeded":
        raise RuntimeError(f"the recompute came to nothing: {status}")
    return elapsed * 1000


async def _load_shop(urls: ServerUrls) -> None:
    settings = load_settings(env_files=(), database_url=urls.database_url, redis_url=urls.redis_url)
    async with open_database(settings, program="benchmark") as database, database.sessions.begin() as session:
        await load_sample_catalog(session, today=datetime.now(tz=UTC).date())


@contextmanager
def _worker(urls: ServerUrls, worker_settings: str, http: httpx.Client) -> Generator[psutil.Process]:
    with _process(urls, "arq", worker_settings) as worker:
        # The first request waits for the worker to start, and fills every cache.
        for _ in range(5):
            _latency(http, wait=0)
        yield worker


@contextmanager
def _api(urls: ServerUrls) -> Generator[httpx.Client]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ("uvicorn", "api.main:app", "--port", str(port), "--no-access-log")
    with (
        _process(urls, *command),
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": API_KEY}, timeout=60, trust_env=False
        ) as http,
    ):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                http.get("/api/v1/health/live")
                break
            time.sleep(0.05)
        yield http


@contextmanager
def _process(urls: ServerUrls, *command: str) -> Generator[psutil.Process]:
    environment = {
        **os.environ,
        "FLEXIPRICE_DATABASE_URL": urls.database_url,
        "FLEXIPRICE_REDIS_URL": urls.redis_url,
        "FLEXIPRICE_API_KEY": API_KEY,
        "FLEXIPRICE_LOG_LEVEL": "WARNING",
    }
    program = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=_ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield psutil.Process(program.pid)
    finally:
        program.terminate()
        program.wait(60)


def main() -> None:
    """Measures, and prints the results beside the limits."""
    latency, idle = run()
    for name, values in (("ours", latency.ours), ("arq's default polling", latency.plain)):
        p99 = quantiles(values, n=100)[98]
        _say(f"POST to result, {name}: p50 {median(values):.1f} ms, p99 {p99:.1f} ms, n={len(values)}")
    _say(f"ratio of the medians: {latency.ratio:.3f} (at most 0.1)")
    _say(f"idle worker: {idle.cpu_seconds:.2f} s CPU in {idle.seconds:.0f} s, {idle.share:.2%} of a core")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
