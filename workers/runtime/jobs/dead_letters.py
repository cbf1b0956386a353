"""Setting aside what nobody can read, for a person to look at."""

from collections.abc import Awaitable
from typing import Final, cast

from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis import keys
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
# Of one job; enough to see what it is.
_MAX_BYTES: Final = 64 * 1024
_MAX_JOBS: Final = 1_000


async def move_to_dead_letters(redis: ArqRedis, job: ClaimedJob) -> None:
    """Keeps the beginning of a job's bytes, unless too many are kept already."""
    body = job.body or b""
    _LOGGER.error("job_unreadable", job_id=job.job_id, bytes=len(body))
    if await cast("Awaitable[int]", redis.hlen(keys.QUARANTINE)) < _MAX_JOBS:
        aside = redis.hset(keys.QUARANTINE, mapping={job.job_id: body[:_MAX_BYTES]})
        await cast("Awaitable[int]", aside)
