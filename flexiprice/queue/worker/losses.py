"""What a lost worker says of the jobs that it ran, and when a job is given up for it.

A worker that dies takes all of its jobs with it, and at most one of them is to blame. So all of them become
suspects, which run alone, and only what a worker dies of while it runs one job alone counts against it. A
worker that was frozen, cut off from Redis, or told to end and did not finish, says nothing of its jobs: it
exonerates them when it finds out.
"""

from collections.abc import Awaitable, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final, cast

from flexiprice.queue.arq import ArqRedis, to_ms
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.loss_scripts import EXONERATE, EXONERATION_KEPT
from flexiprice.queue.worker.claimed_job import ClaimedJob

MAX_LONE_LOSSES: Final = 3
"""A job that so many workers died of, while each ran nothing else, is given up."""
MAX_LONE_LOSSES_AMID_OTHERS: Final = 10
"""The same while workers die that did not run the job: then something else kills workers too."""
OTHERS_DIED_WITHIN: Final = timedelta(seconds=30)
"""How long the death of another worker counts as a sign of that."""
_LOSS_KEPT: Final = timedelta(days=1)


class Loss(StrEnum):
    """How a worker was lost that ran a job: `alone` or `beside` others, or with all of them `exonerated`."""

    ALONE = "alone"
    BESIDE = "beside"
    EXONERATED = "exonerated"


async def judge_loss(redis: ArqRedis, worker_id: str, *, running: int) -> Loss:
    """What the loss of a worker says of its jobs; a death is remembered for a while.

    Args:
        redis: where that is known.
        worker_id: who was lost.
        running: how many of its jobs are yet to be given back.

    Raises:
        redis.RedisError: as redis-py has it.
    """
    async with redis.pipeline(transaction=True) as pipe:
        # Whoever takes over from a reaper that died finds fewer of its jobs than it ran.
        pipe.set(keys.loss_key(worker_id), running, nx=True, px=_LOSS_KEPT)
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
    """Whether the loss of its worker was one too many for a job.

    Raises:
        redis.RedisError: as redis-py has it.
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
    """Says that jobs are not to blame for the loss of the worker that ran them.

    Raises:
        redis.RedisError: as redis-py has it.
    """
    say = redis.register_script(EXONERATE)
    await cast(
        "Awaitable[int]",
        say(
            keys=[keys.exonerated_key(worker_id), keys.RECENT_DEATHS],
            args=[worker_id, keys.record_key(""), to_ms(EXONERATION_KEPT) or 0, *job_ids],
        ),
    )


async def _now_ms(redis: ArqRedis) -> int:
    seconds, micros = cast("tuple[int, int]", await redis.time())
    return seconds * 1000 + micros // 1000
