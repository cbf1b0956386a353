"""Quarantines jobs that cannot be decoded."""

from collections.abc import Awaitable
from typing import Final, cast

from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis import keys
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
# A limit for each job, enough to identify it.
_MAX_BYTES: Final = 64 * 1024
_MAX_JOBS: Final = 1_000


async def move_to_dead_letters(redis: ArqRedis, job: ClaimedJob) -> None:
    """Stores the first bytes of a job, unless the quarantine is full."""
    body = job.body or b""
    _LOGGER.error("job_unreadable", job_id=job.job_id, bytes=len(body))
    if await cast("Awaitable[int]", redis.hlen(keys.QUARANTINE)) < _MAX_JOBS:
        write = redis.hset(keys.QUARANTINE, mapping={job.job_id: body[:_MAX_BYTES]})
        await cast("Awaitable[int]", write)
