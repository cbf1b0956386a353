"""Retries finished jobs: each as a new job that names the old one as its parent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import QueueFull
from flexiprice.queue.admin.dead_letters import find_body, remove_dead_letters
from flexiprice.queue.arq import DeserializationError, JobDef, deserialize_job, deserialize_result
from flexiprice.queue.client import TaskCall, TaskQueue, can_be_job_id
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobInfo
from flexiprice.settings import Queue

_UNKNOWN: Final = "there is no such job, or its result is no longer kept"
_UNREADABLE: Final = "the job's data in Redis cannot be read, so it cannot be retried"


class RetryOutcome(StrEnum):
    """The outcome of a retry.

    `not_ended`: the job has not finished. `refused`: its queue is full. `unreadable`: Redis no longer has its
    message.
    """

    ENQUEUED = "enqueued"
    NOT_ENDED = "not_ended"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """The result of retrying one job.

    Attributes:
        job_id: the finished job.
        outcome: the outcome.
        new_job_id: the new job; None without one.
        message: the outcome for people, with the reason if nothing was done.
    """

    job_id: str
    outcome: RetryOutcome
    new_job_id: str | None
    message: str


async def retry_jobs(tasks: TaskQueue, job_ids: Sequence[str], *, source: JobSource) -> tuple[Retried, ...]:
    """Enqueues finished jobs again with the same arguments, whatever their outcome was.

    Args:
        tasks: the task queue.
        job_ids: the jobs; duplicates are ignored.
        source: the source of the new jobs; trigger and parent are added.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    wanted = list(dict.fromkeys(job_ids))
    statuses = await tasks.find_statuses([job_id for job_id in wanted if can_be_job_id(job_id)])
    return tuple([await _retry(tasks, job_id, statuses.get(job_id), source) for job_id in wanted])


async def _retry(tasks: TaskQueue, job_id: str, status: JobInfo | None, source: JobSource) -> Retried:
    def not_retried(outcome: RetryOutcome, message: str) -> Retried:
        return Retried(job_id=job_id, outcome=outcome, new_job_id=None, message=message)

    if status is not None and not status.ready:
        return not_retried(RetryOutcome.NOT_ENDED, f"it has not ended: it is {status.status}")
    call = None if status is None else await _call_of(tasks, job_id, status.queue)
    if call is None:
        call = await _dead_letter_call(tasks, job_id)
    if call is None and status is None:
        return not_retried(RetryOutcome.UNKNOWN, _UNKNOWN)
    if call is None:
        return not_retried(RetryOutcome.UNREADABLE, _UNREADABLE)
    source = replace(source, trigger=RunTrigger.RETRY, parent_job_id=job_id)
    try:
        job = await tasks.enqueue_call(call, source=source)
    except QueueFull as error:
        # Reported for this job only: others may have been enqueued already.
        return not_retried(RetryOutcome.REFUSED, error.message)
    await remove_dead_letters(tasks.redis, [job_id])
    return Retried(
        job_id=job_id,
        outcome=RetryOutcome.ENQUEUED,
        new_job_id=job.job_id,
        message=f"{job.task} is enqueued again",
    )


async def _call_of(tasks: TaskQueue, job_id: str, queue: Queue | None) -> TaskCall | None:
    """Returns the call of a finished job; that of an expired one comes from its record."""
    with redis_errors():
        async with tasks.redis.pipeline(transaction=True) as pipe:
            pipe.get(keys.result_key(job_id))
            pipe.hget(keys.record_key(job_id), "body")
            encoded, body = await pipe.execute()
    try:
        if body is not None:
            job = deserialize_job(body, deserializer=codec.decode)
        elif encoded is not None:
            job = deserialize_result(encoded, deserializer=codec.decode)
        else:
            return None
    except DeserializationError:
        return None
    return _call(job, queue)


async def _dead_letter_call(tasks: TaskQueue, job_id: str) -> TaskCall | None:
    """Returns the call of a dead letter whose result has expired."""
    with redis_errors():
        found = await find_body(tasks.redis, job_id)
    if found is None:
        return None
    body, queue = found
    try:
        return _call(deserialize_job(body, deserializer=codec.decode), queue)
    except DeserializationError:
        return None


def _call(job: JobDef, queue: Queue | None) -> TaskCall | None:
    # "<unknown>" marks a message that arq could not decode. Our tasks have no positional arguments.
    if queue is None or job.args or job.function.startswith("<"):
        return None
    return TaskCall(job.function, queue, dict(job.kwargs))
