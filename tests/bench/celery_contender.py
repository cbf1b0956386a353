"""Celery as a contender: its worker and its client, each a process with its own Python path."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from flexiprice.embedded.servers import ServerUrls
from tests.bench.contender import LOOK_SECONDS, ROOT, Contender


class Celery(Contender):
    """Celery with one process a core."""

    name = "Celery prefork"
    command = (
        *("celery", "-A", "tests.bench.celery_noop", "worker", "--pool", "prefork"),
        *("--concurrency", str(os.cpu_count() or 1), "--loglevel", "WARNING"),
    )

    def __init__(self, urls: ServerUrls, home: Path) -> None:
        super().__init__(urls)
        self.environment = {"PYTHONPATH": str(home)}
        self._producer = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.celery_noop"],
            cwd=ROOT,
            env={**os.environ, **self.environment, "FLEXIPRICE_REDIS_URL": urls.redis_url},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def enqueue(self, count: int) -> list[str]:
        """Enqueues jobs; returns the keys of their results."""
        return self._enqueue(count)[1]

    def latency(self) -> float:
        """Seconds from enqueueing to a visible result, without the way to the process that enqueues."""
        began, (result,) = self._enqueue(1)
        while not self.redis.exists(result):
            time.sleep(LOOK_SECONDS / 2)
        return time.monotonic() - began

    def left(self, count: int) -> int:
        """The number of jobs that have not ended."""
        waiting = int(self.redis.llen("celery")) + int(self.redis.hlen("unacked"))
        # To count the results is slow, so only when none can be far.
        return waiting or count - sum(1 for _ in self.redis.scan_iter("celery-task-meta-*", count=20_000))

    def close(self) -> None:
        """Ends the process that enqueues."""
        self._producer.communicate(timeout=30)

    def _enqueue(self, count: int) -> tuple[float, list[str]]:
        assert self._producer.stdin is not None
        assert self._producer.stdout is not None
        self._producer.stdin.write(f"{count}\n")
        self._producer.stdin.flush()
        told = json.loads(self._producer.stdout.readline())
        return told["began"], [f"celery-task-meta-{job_id}" for job_id in told["ids"]]
