"""Reading from Redis everything that it holds about jobs, many of them in one round trip."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flexiprice.queue.arq import ArqRedis, DeserializationError, deserialize_job, to_unix_ms
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.status import JobSnapshot
from flexiprice.settings import Queue

_QUEUES: Final = tuple(Queue)
# Jobs of which one transaction reads, during which Redis answers nobody else.
_AT_ONCE: Final = 200
# Answers to one job's part of the pipeline.
_ANSWERS: Final = 5 + len(_QUEUES)


async def read_traces(redis: ArqRedis, job_ids: Sequence[str]) -> Mapping[str, JobSnapshot]:
    """What Redis holds about jobs, of each at one moment.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    traces: dict[str, JobSnapshot] = {}
    for start in range(0, len(job_ids), _AT_ONCE):
        traces |= await _read_some(redis, job_ids[start : start + _AT_ONCE])
    return traces


async def _read_some(redis: ArqRedis, job_ids: Sequence[str]) -> dict[str, JobSnapshot]:
    with redis_errors():
        # A transaction, or a job that ends in between would be seen nowhere.
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
        (seconds, micros), *answers = reply
        traces: dict[str, JobSnapshot] = {}
        for index, job_id in enumerate(job_ids):
            of_job = answers[index * _ANSWERS : (index + 1) * _ANSWERS]
            if of_job[1] and b"task" not in of_job[4]:
                of_job[4] |= await _foreign_record(redis, job_id)
            traces[job_id] = _traces(of_job, now_ms=seconds * 1000 + micros // 1000)
    return traces


def _traces(answers: Sequence[Any], *, now_ms: int) -> JobSnapshot:
    result, waiting, owner, tries, record, *scores = answers
    return JobSnapshot(
        result=result,
        waiting=bool(waiting),
        owner=None if owner is None else text(owner),
        tries=keys.whole_number(tries),
        record={text(name): text(value) for name, value in record.items()},
        due_at_ms={queue: score for queue, score in zip(_QUEUES, scores, strict=True) if score is not None},
        now_ms=now_ms,
    )


async def _foreign_record(redis: ArqRedis, job_id: str) -> dict[bytes, str]:
    """Stands in for our record where a plain arq client has enqueued a job."""
    encoded: bytes = await redis.get(keys.job_key(job_id)) or b""
    try:
        job = deserialize_job(encoded, deserializer=codec.decode)
    except DeserializationError:
        return {}
    return {b"task": job.function, b"enqueued": str(to_unix_ms(job.enqueue_time))}


def text(value: object) -> str:
    """What Redis holds, as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
