"""Routes jobs from arq's default queue, where plain arq clients enqueue them, to the queues of their tasks.

`await pool.enqueue_job("recompute_all_discounts")` adds a job to `arq:queue`, which no worker consumes. When
the job is due, a worker routes it to the queue of its task. The id stays in `arq:queue` until the job has
finished, because arq's `Job.status()` and `Job.result()` look for it there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from flexiprice.queue.arq import ArqRedis, DeserializationError, deserialize_job_raw
from flexiprice.queue.enqueue import can_be_job_id
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.bad_entries import shown_name
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.redis.scripts import QUARANTINE_JOB_IDS, ROUTE_JOB
from flexiprice.settings import Queue
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)

_BATCH_SIZE: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultQueueJob:
    """A due job in arq's default queue.

    Attributes:
        job_id: the job's id.
        task: name of its function; None if its message is unreadable.
        due_ms: when it was due, by the producer's clock.
    """

    job_id: str
    task: str | None
    due_ms: float


async def find_due(redis: ArqRedis, *, now_ms: int) -> Sequence[DefaultQueueJob]:
    """Reads up to 100 due and unrouted jobs of arq's default queue.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    with redis_errors():
        due = cast(
            "list[tuple[bytes, float]]",
            await redis.zrangebyscore(
                keys.DEFAULT_QUEUE, f"({keys.ROUTED_SCORE}", now_ms, start=0, num=_BATCH_SIZE, withscores=True
            ),
        )
        scores = {job_id: score for member, score in due if (job_id := _job_id(member)) is not None}
        if len(scores) < len(due):
            invalid = [member for member, _ in due if _job_id(member) is None]
            _LOGGER.error("default_queue_entries_set_aside", ids=[shown_name(member) for member in invalid])
            await redis.register_script(QUARANTINE_JOB_IDS)([keys.DEFAULT_QUEUE], invalid)
        if not scores:
            return []
        bodies: list[bytes | None] = await redis.mget([keys.job_key(job_id) for job_id in scores])
    return [
        DefaultQueueJob(job_id=job_id, task=_task_of(body), due_ms=score)
        for (job_id, score), body in zip(scores.items(), bodies, strict=True)
    ]


async def route(redis: ArqRedis, job: DefaultQueueJob, queue: Queue, *, queue_limit: int) -> bool:
    """Routes a job to a queue. Returns False if the queue is full, or the job was routed or has finished.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    job_id = job.job_id
    job_keys = [
        keys.DEFAULT_QUEUE,
        keys.job_key(job_id),
        keys.result_key(job_id),
        keys.in_progress_key(job_id),
        keys.record_key(job_id),
        keys.queue_key(queue),
    ]
    facts = [job_id, job.task or "", queue.value, keys.notify_channel(queue), queue_limit]
    with redis_errors():
        return cast("int", await redis.register_script(ROUTE_JOB)(job_keys, facts)) == 1


async def count_unrouted(redis: ArqRedis, *, before_ms: int) -> int:
    """Counts the unrouted jobs of arq's default queue that were due before an instant.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    with redis_errors():
        return int(await redis.zcount(keys.DEFAULT_QUEUE, f"({keys.ROUTED_SCORE}", before_ms))


def _job_id(member: bytes) -> str | None:
    try:
        job_id = member.decode()
    except UnicodeDecodeError:
        return None
    return job_id if can_be_job_id(job_id) else None


def _task_of(body: bytes | None) -> str | None:
    try:
        function, *_ = deserialize_job_raw(body or b"", deserializer=codec.decode)
    except DeserializationError:
        return None
    # arq does not check types.
    return function if isinstance(function, str) else None  # type: ignore[redundant-expr]  # pyright: ignore[reportUnnecessaryIsInstance]
