"""Judges the loss of a worker, and decides when a job is given up as a poison job.

When a worker dies, at most one of its jobs is the cause. So all of its jobs become suspects, which run alone.
Only the death of a worker that ran nothing else counts against a job. A worker that was frozen, cut off from
Redis, or stopped before it finished says nothing about its jobs. It exonerates them when it finds out.
"""

from collections.abc import Awaitable, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final, cast

from flexiprice.queue.arq import ArqRedis, to_ms
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.scripts import EXONERATE
from flexiprice.queue.worker.claimed_job import ClaimedJob

MAX_LONE_LOSSES: Final = 3
"""Give up on a job after this many deaths of workers that ran nothing else."""
MAX_LONE_LOSSES_AMID_OTHERS: Final = 10
"""The same limit while workers without the job die too, so that it may not be the cause."""
OTHERS_DIED_WITHIN: Final = timedelta(seconds=30)
"""How long the death of another worker counts for that."""
EXONERATION_KEPT: Final = timedelta(hours=1)
"""How long the exoneration of a worker's jobs is stored."""
_LOSS_TTL: Final = timedelta(days=1)


class Loss(StrEnum):
    """The kind of loss: the job ran `alone`, `beside` others, or all jobs are `exonerated`."""

    ALONE = "alone"
    BESIDE = "beside"
    EXONERATED = "exonerated"


async def judge_loss(redis: ArqRedis, worker_id: str, *, running: int) -> Loss:
    """Returns the kind of a worker's loss, and records the death for `OTHERS_DIED_WITHIN`.

    Args:
        redis: the Redis client.
        worker_id: the lost worker.
        running: number of its jobs that are not requeued yet.

    Raises:
        redis.RedisError: the call to Redis failed.
    """
    async with redis.pipeline(transaction=True) as pipe:
        # A reaper that takes over from a dead one finds fewer jobs, so the first count is kept.
        pipe.set(keys.loss_key(worker_id), running, nx=True, px=_LOSS_TTL)
        pipe.get(keys.loss_key(worker_id))
        pipe.exists(keys.exonerated_key(worker_id))
        _, ran, exonerated = await pipe.execute()
    if exonerated:
        return Loss.EXONERATED
    now_ms = await _now_ms(redis)
    async with redis.pipeline(transaction=True) as pipe:
        pipe.zadd(keys.RECENT_DEATHS, {worker_id: now_ms})
        pipe.zremrangebyscore(keys.RECENT_DEATHS, "-inf", now_ms - (to_ms(OTHERS_DIED_WITHIN) or 0))
        await pipe.execute()
    return Loss.ALONE if keys.whole_number(ran) == 1 else Loss.BESIDE


async def is_to_be_given_up(redis: ArqRedis, job: ClaimedJob, loss: Loss) -> bool:
    """Whether a job is given up because of this loss.

    Raises:
        redis.RedisError: the call to Redis failed.
    """
    lone_losses = job.lone_losses + 1
    if loss is not Loss.ALONE or lone_losses < MAX_LONE_LOSSES:
        return False
    since = await _now_ms(redis) - (to_ms(OTHERS_DIED_WITHIN) or 0)
    died = {
        worker.decode(errors="replace")
        for worker in await redis.zrangebyscore(keys.RECENT_DEATHS, since, "+inf")
    }
    others = died - job.lost_on - {job.worker_id}
    return not others or lone_losses >= MAX_LONE_LOSSES_AMID_OTHERS


async def exonerate(redis: ArqRedis, worker_id: str, job_ids: Sequence[str]) -> None:
    """Exonerates jobs: the loss of their worker does not count against them.

    Raises:
        redis.RedisError: the call to Redis failed.
    """
    script = redis.register_script(EXONERATE)
    await cast(
        "Awaitable[int]",
        script(
            keys=[keys.exonerated_key(worker_id), keys.RECENT_DEATHS],
            args=[worker_id, keys.record_key(""), to_ms(EXONERATION_KEPT) or 0, *job_ids],
        ),
    )


async def _now_ms(redis: ArqRedis) -> int:
    seconds, micros = cast("tuple[int, int]", await redis.time())
    return seconds * 1000 + micros // 1000
