"""A contender in the comparison of overhead: runs jobs that do nothing, with a worker of its own."""

import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
from redis import Redis

from flexiprice.embedded.servers import ServerUrls

ROOT: Final = Path(__file__).parents[2]
LOOK_SECONDS: Final = 0.001
_PATIENCE_SECONDS: Final = 180


class Contender(ABC):
    """A way to run jobs, on an empty Redis of its own."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = {}

    def __init__(self, urls: ServerUrls) -> None:
        self.urls = urls
        self.redis = Redis.from_url(urls.redis_url)

    @abstractmethod
    def enqueue(self, count: int) -> list[str]:
        """Enqueues jobs; returns the keys of their results."""

    @abstractmethod
    def left(self, count: int) -> int:
        """The number of jobs that have not ended."""

    def await_first(self, count: int) -> None:
        """Returns when the first of so many jobs has ended."""
        self._until(lambda: self.left(count) < count)

    def await_all(self, count: int) -> None:
        """Returns when all jobs have ended."""
        self._until(lambda: self.left(count) == 0)

    def latency(self) -> float:
        """Seconds from enqueueing to a visible result."""
        began = time.perf_counter()
        (result,) = self.enqueue(1)
        while not self.redis.exists(result):
            time.sleep(LOOK_SECONDS / 2)
        return time.perf_counter() - began

    def _until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} did not get on")
            time.sleep(LOOK_SECONDS)

    @contextmanager
    def worker(self) -> Generator[psutil.Process]:
        """Its worker, for as long as the context lasts."""
        environment = {
            **os.environ,
            "FLEXIPRICE_DATABASE_URL": self.urls.database_url,
            "FLEXIPRICE_REDIS_URL": self.urls.redis_url,
            "FLEXIPRICE_LOG_LEVEL": "WARNING",
            # A fresh process for every thousand jobs is no part of what is compared.
            "FLEXIPRICE_WORKER_MAX_TASKS": "0",
            **self.environment,
        }
        program = subprocess.Popen(
            [sys.executable, "-m", *self.command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield psutil.Process(program.pid)
        finally:
            program.terminate()
            try:
                program.wait(60)
            finally:
                program.kill()

    def close(self) -> None:  # noqa: B027 -- most have nothing to end
        """Ends what it has started."""
