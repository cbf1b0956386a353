"""Writes the progress of running jobs to Redis, at most five times a second for each job."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Final

from redis.exceptions import RedisError

from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.progress import Progress, write_progress
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.redis.connection import UNAVAILABLE
from flexiprice.queue.redis.scripts import REPORT_PROGRESS

_WRITE_INTERVAL_SECONDS: Final = 0.2


class ProgressReporter:
    """Writes a job's progress in the background. It never delays the job or makes it fail."""

    def __init__(
        self, redis: ArqRedis, *, job_id: str, worker_id: str, clock: Callable[[], datetime]
    ) -> None:
        self._redis = redis
        self._keys = [keys.in_progress_key(job_id), keys.record_key(job_id)]
        self._facts = [worker_id, keys.finished_channel(job_id)]
        self._clock = clock
        self._latest: Progress | None = None
        self._writer: asyncio.Task[None] | None = None

    def report(self, done: int, total: int | None = None, message: str | None = None) -> None:
        """Stores the latest progress for the next write."""
        self._latest = Progress(done=done, total=total, message=message, reported_at=self._clock())
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_latest(), name="flexiprice-progress")

    async def aclose(self) -> None:
        """Writes the latest progress, unless Redis is slow, and stops."""
        if self._writer is None:
            return
        await cancel_and_wait(self._writer)
        with suppress(TimeoutError):
            async with asyncio.timeout(_WRITE_INTERVAL_SECONDS):
                await self._write_once()

    async def _write_latest(self) -> None:
        while self._latest is not None:
            await self._write_once()
            await asyncio.sleep(_WRITE_INTERVAL_SECONDS)

    async def _write_once(self) -> None:
        latest, self._latest = self._latest, None
        if latest is not None:
            with suppress(*UNAVAILABLE, RedisError):
                write = self._redis.register_script(REPORT_PROGRESS)
                await write(keys=self._keys, args=[*self._facts, write_progress(latest)])


@asynccontextmanager
async def reporting(
    redis: ArqRedis, *, job_id: str, worker_id: str, clock: Callable[[], datetime]
) -> AsyncGenerator[ProgressReporter]:
    """Opens a reporter while a job runs."""
    reporter = ProgressReporter(redis, job_id=job_id, worker_id=worker_id, clock=clock)
    try:
        yield reporter
    finally:
        await reporter.aclose()
