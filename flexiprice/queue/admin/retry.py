"""Trying jobs again that have ended: each as a new job that names the old one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import QueueFull
from flexiprice.queue.admin.dead_letters import find_body, remove_dead_letters
from flexiprice.queue.arq import DeserializationError, JobDef, deserialize_job, deserialize_result
from flexiprice.queue.client import Call, TaskQueue, can_be_job_id
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobInfo
from flexiprice.settings import Queue

_UNKNOWN: Final = "there is no such job, or its result is no longer kept"
_UNREADABLE: Final = "what Redis holds of the job cannot be read, so it cannot be tried again"


class RetryOutcome(StrEnum):
    """What came of trying a job again.

    `not_ended` may still come to a result; `refused` could not be enqueued; `unreadable` is a job of which
    Redis no longer tells what it was to do.
    """

    ENQUEUED = "enqueued"
    NOT_ENDED = "not_ended"
    REFUSED = "refused"
    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What came of trying one job again.

    Attributes:
        job_id: the job that had ended.
        outcome: what was done.
        new_job_id: the job that tries it again; None where there is none.
        message: for a person: what was done, or why nothing was.
    """

    job_id: str
    outcome: RetryOutcome
    new_job_id: str | None
    message: str


async def retry_jobs(tasks: TaskQueue, job_ids: Sequence[str], *, origin: JobSource) -> tuple[Retried, ...]:
    """Enqueues anew, with the same arguments, what has ended, whichever way it did.

    Args:
        tasks: the queue.
        job_ids: the jobs; each is tried again once.
        origin: who asks; trigger and parent are added.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    wanted = list(dict.fromkeys(job_ids))
    statuses = await tasks.find_statuses([job_id for job_id in wanted if can_be_job_id(job_id)])
    return tuple([await _retry(tasks, job_id, statuses.get(job_id), origin) for job_id in wanted])


async def _retry(tasks: TaskQueue, job_id: str, status: JobInfo | None, origin: JobSource) -> Retried:
    def nothing(outcome: RetryOutcome, message: str) -> Retried:
        return Retried(job_id=job_id, outcome=outcome, new_job_id=None, message=message)

    if status is not None and not status.ready:
        return nothing(RetryOutcome.NOT_ENDED, f"it has not ended: it is {status.status}")
    call = None if status is None else await _call_of(tasks, job_id, status.queue)
    if call is None:
        call = await _dead_call(tasks, job_id)
    if call is None and status is None:
        return nothing(RetryOutcome.UNKNOWN, _UNKNOWN)
    if call is None:
        return nothing(RetryOutcome.UNREADABLE, _UNREADABLE)
    origin = replace(origin, trigger=RunTrigger.RETRY, parent_job_id=job_id)
    try:
        job = await tasks.enqueue_call(call, origin=origin)
    except QueueFull as error:
        # Said of this job alone: others may have been enqueued already.
        return nothing(RetryOutcome.REFUSED, error.message)
    await remove_dead_letters(tasks.redis, [job_id])
    return Retried(
        job_id=job_id,
        outcome=RetryOutcome.ENQUEUED,
        new_job_id=job.job_id,
        message=f"{job.task} is enqueued again",
    )


async def _call_of(tasks: TaskQueue, job_id: str, queue: Queue | None) -> Call | None:
    """What the job called; of one that expired only its record still tells."""
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


async def _dead_call(tasks: TaskQueue, job_id: str) -> Call | None:
    """What a dead letter was to do, though its result is no longer kept."""
    with redis_errors():
        found = await find_body(tasks.redis, job_id)
    if found is None:
        return None
    body, queue = found
    try:
        return _call(deserialize_job(body, deserializer=codec.decode), queue)
    except DeserializationError:
        return None


def _call(job: JobDef, queue: Queue | None) -> Call | None:
    # Without a name arq could not read what it was to run; our tasks have no unnamed arguments.
    if queue is None or job.args or job.function.startswith("<"):
        return None
    return Call(job.function, queue, dict(job.kwargs))
