"""Reads, pauses and resumes queues."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.clock import redis_now
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.redis.scripts import COUNT_QUEUE
from flexiprice.settings import Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """A queue at one moment.

    Attributes:
        queue: the queue.
        waiting: number of due jobs that no worker runs yet.
        deferred: number of jobs that are not due yet, including retries.
        running: number of running jobs, including those that wait for their children.
        oldest_waiting: how long the oldest waiting job has been due; None if no job waits.
        paused_at: start of the pause; None if not paused.
        paused_by: the actor that paused it.
        running_job_ids: ids of the running jobs.
    """

    queue: Queue
    waiting: int
    deferred: int
    running: int
    oldest_waiting: timedelta | None
    paused_at: datetime | None
    paused_by: str | None
    running_job_ids: tuple[str, ...]


async def get_queue(tasks: TaskQueue, queue: Queue) -> QueueState:
    """Reads the state of a queue.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    with redis_errors():
        reply = cast(
            "tuple[bytes, int, int, bytes, bytes, list[bytes]]",
            await tasks.redis.register_script(COUNT_QUEUE)(
                keys=[keys.queue_key(queue), keys.PAUSED_QUEUES, keys.WORKERS, keys.LOST_WORKERS],
                args=[queue.value],
            ),
        )
    now_ms, waiting, deferred, oldest_ms, paused, running = reply
    oldest = float(oldest_ms)
    paused_ms, _, paused_by = paused.decode(errors="replace").partition(" ")
    return QueueState(
        queue=queue,
        waiting=waiting,
        deferred=deferred,
        running=len(running),
        oldest_waiting=None if oldest < 0 else timedelta(milliseconds=max(0.0, float(now_ms) - oldest)),
        paused_at=keys.instant_of(paused_ms) if paused else None,
        paused_by=paused_by or None,
        running_job_ids=tuple(job_id.decode(errors="replace") for job_id in running),
    )


async def list_queues(tasks: TaskQueue) -> tuple[QueueState, ...]:
    """Reads the state of all queues.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    return tuple([await get_queue(tasks, queue) for queue in Queue])


async def pause_queue(tasks: TaskQueue, queue: Queue, *, now: datetime | None = None, by: str) -> bool:
    """Pauses a queue: workers stop claiming its jobs; running jobs finish.

    Args:
        tasks: the task queue.
        queue: the queue to pause.
        now: the recorded time; None for that of Redis.
        by: the actor.

    Returns:
        False if it was paused already; the earlier pause is kept.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    with redis_errors():
        now = now or await redis_now(tasks.redis)
        async with tasks.redis.pipeline(transaction=False) as pipe:
            pipe.hsetnx(keys.PAUSED_QUEUES, keys.queue_key(queue), f"{round(now.timestamp() * 1000)} {by}")
            (paused,) = await pipe.execute()
    return bool(paused)


async def resume_queue(tasks: TaskQueue, queue: Queue) -> bool:
    """Resumes a queue and wakes its workers.

    Returns:
        False if it was not paused.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    with redis_errors():
        async with tasks.redis.pipeline(transaction=True) as pipe:
            pipe.hdel(keys.PAUSED_QUEUES, keys.queue_key(queue))
            pipe.publish(keys.notify_channel(queue), "")
            resumed, _ = await pipe.execute()
    return bool(resumed)
