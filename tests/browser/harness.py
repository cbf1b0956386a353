"""The monitor, its servers and workers as real processes."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from flexiprice.embedded.child_process import free_port
from flexiprice.resources import Resources, open_resources
from flexiprice.settings import load_settings
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
FULL_KEY = "the-full-key-of-the-browser-tests"
READ_KEY = "the-key-of-those-who-only-look"
_START_SECONDS = 120.0


@dataclass
class Harness:
    """The monitor at work.

    Attributes:
        resources: the tests' own way to the servers.
        address: of the monitor.
        folder: of the processes' logs, and the monitor's working folder.
        environment: of the processes.
    """

    resources: Resources
    address: str
    folder: Path
    environment: dict[str, str]
    monitor: "subprocess.Popen[bytes] | None" = None
    workers: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start_worker(self, module: str = "shop_worker", **variables: str) -> "subprocess.Popen[bytes]":
        """Starts a worker; further settings are its variables without their prefix."""
        named = {f"FLEXIPRICE_{name.upper()}": value for name, value in variables.items()}
        command = ("arq", f"tests.browser.{module}.WorkerSettings")
        worker = self._start(f"worker-{len(self.workers)}", command, ROOT, named)
        self.workers.append(worker)
        return worker

    async def start_monitor(self) -> None:
        """Starts the monitor, and returns when it serves."""
        port = self.address.rpartition(":")[2]
        command = ("flexiprice.cli.main", "monitor", "--port", port)
        self.monitor = self._start("monitor", command, self.folder, {})

        async def serves() -> bool:
            try:
                return (await client.get("/health/live")).is_success
            except httpx.TransportError:
                return False

        async with httpx.AsyncClient(base_url=self.address, trust_env=False) as client:
            await until(serves, _START_SECONDS)

    def stop_monitor(self) -> None:
        """Stops the monitor as SIGTERM does."""
        assert self.monitor is not None
        self.monitor.terminate()
        self.monitor.wait(timeout=120)

    async def until_workers(self, number: int) -> None:
        """Returns when so many workers live."""

        async def live() -> bool:
            return len(await self.resources.tasks.live_workers()) == number

        await until(live, _START_SECONDS)

    def end(self) -> None:
        """Ends whatever still runs."""
        for process in [*self.workers, *([self.monitor] if self.monitor else [])]:
            process.terminate()
        for process in [*self.workers, *([self.monitor] if self.monitor else [])]:
            try:
                process.wait(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(
        self, name: str, command: tuple[str, ...], folder: Path, variables: dict[str, str]
    ) -> "subprocess.Popen[bytes]":
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=folder,
                env={**self.environment, **variables},
                stdout=log,
                stderr=subprocess.STDOUT,
            )


@asynccontextmanager
async def open_harness(
    database_url: str, redis_url: str, folder: Path, *, keys: bool = True
) -> AsyncIterator[Harness]:
    """The monitor and one worker on two servers, everything ended afterwards.

    Args:
        database_url: of a migrated database.
        redis_url: of a Redis database that holds nothing else.
        folder: for logs.
        keys: the monitor asks for a key; else it serves this machine.
    """
    variables = {
        "FLEXIPRICE_DATABASE_URL": database_url,
        "FLEXIPRICE_REDIS_URL": redis_url,
        "FLEXIPRICE_WORKER_MAX_TASKS": "0",
        "FLEXIPRICE_WORKER_GRACE": "5",
        **({"FLEXIPRICE_API_KEY": FULL_KEY, "FLEXIPRICE_MONITOR_READ_KEY": READ_KEY} if keys else {}),
    }
    settings = load_settings(env_files=(), database_url=database_url, redis_url=redis_url)
    async with open_resources(settings, program="flexiprice-browser-tests") as resources:
        await resources.redis.flushdb()
        address = f"http://127.0.0.1:{free_port(folder / 'port')}"
        harness = Harness(resources, address, folder, {**os.environ, **variables})
        try:
            harness.start_worker()
            await harness.start_monitor()
            await harness.until_workers(1)
            yield harness
        finally:
            harness.end()
