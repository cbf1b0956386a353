"""Reads the raw data of many jobs from Redis in one round trip."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flexiprice.queue.arq import ArqRedis, DeserializationError, deserialize_job, to_unix_ms
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.status import JobSnapshot
from flexiprice.settings import Queue

_QUEUES: Final = tuple(Queue)
# Jobs in one transaction, which blocks Redis for other clients.
_BATCH_SIZE: Final = 200
# Replies for each job in the pipeline.
_REPLIES_PER_JOB: Final = 5 + len(_QUEUES)


async def read_snapshots(redis: ArqRedis, job_ids: Sequence[str]) -> Mapping[str, JobSnapshot]:
    """Reads the data of jobs; of each job at one moment.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    snapshots: dict[str, JobSnapshot] = {}
    for start in range(0, len(job_ids), _BATCH_SIZE):
        snapshots |= await _read_batch(redis, job_ids[start : start + _BATCH_SIZE])
    return snapshots


async def _read_batch(redis: ArqRedis, job_ids: Sequence[str]) -> dict[str, JobSnapshot]:
    with redis_errors():
        # A transaction: otherwise a job that finishes in between would not be found.
        async with redis.pipeline(transaction=True) as pipe:
            pipe.time()
            for job_id in job_ids:
                pipe.get(keys.result_key(job_id))
                pipe.exists(keys.job_key(job_id))
                pipe.get(keys.in_progress_key(job_id))
                pipe.get(keys.retry_key(job_id))
                pipe.hgetall(keys.record_key(job_id))
                for queue in _QUEUES:
                    pipe.zscore(keys.queue_key(queue), job_id)
            reply: list[Any] = await pipe.execute()
        (seconds, micros), *all_replies = reply
        snapshots: dict[str, JobSnapshot] = {}
        for index, job_id in enumerate(job_ids):
            replies = all_replies[index * _REPLIES_PER_JOB : (index + 1) * _REPLIES_PER_JOB]
            if replies[1] and b"task" not in replies[4]:
                replies[4] |= await _arq_record(redis, job_id)
            snapshots[job_id] = _snapshot(replies, now_ms=seconds * 1000 + micros // 1000)
    return snapshots


def _snapshot(all_replies: Sequence[Any], *, now_ms: int) -> JobSnapshot:
    result, waiting, owner, tries, record, *scores = all_replies
    return JobSnapshot(
        result=result,
        waiting=bool(waiting),
        owner=None if owner is None else decode_text(owner),
        tries=keys.whole_number(tries),
        record={decode_text(name): decode_text(value) for name, value in record.items()},
        due_at_ms={queue: score for queue, score in zip(_QUEUES, scores, strict=True) if score is not None},
        now_ms=now_ms,
    )


async def _arq_record(redis: ArqRedis, job_id: str) -> dict[bytes, str]:
    """Returns a substitute record for a job of a plain arq client."""
    encoded: bytes = await redis.get(keys.job_key(job_id)) or b""
    try:
        job = deserialize_job(encoded, deserializer=codec.decode)
    except DeserializationError:
        return {}
    return {b"task": job.function, b"enqueued": str(to_unix_ms(job.enqueue_time))}


def decode_text(value: object) -> str:
    """Decodes a value from Redis."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
