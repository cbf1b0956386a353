"""Validates a job and enqueues it in one round trip."""

import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast

from redis.typing import EncodableT

from flexiprice.errors import Conflict, InvalidInput, QueueFull
from flexiprice.queue.arq import ArqRedis, serialize_job, timestamp_ms, to_ms
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.redis.scripts import ENQUEUE
from flexiprice.queue.snapshot import decode_text
from flexiprice.queue.source import TRACE_FIELD, JobSource
from flexiprice.settings import Queue
from flexiprice.tracing import Span, SpanKind, span

MAX_JOB_ID_LENGTH: Final = 200
# Limit for the encoded arguments of a job: enough for 10,000 batch ids.
MAX_PAYLOAD_BYTES: Final = 128 * 1024
_MAX_DELAY: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class TaskCall:
    """The call of a task, from which a job is made."""

    task: str
    queue: Queue
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueuedJob:
    """An enqueued job.

    Attributes:
        job_id: the job's id.
        task: the task's name.
        queue: the queue of the job.
        created: False if a job of this id existed already.
    """

    job_id: str
    task: str
    queue: Queue
    created: bool


class Enqueuer:
    """Enqueues calls."""

    def __init__(self, redis: ArqRedis, *, queue_limit: int) -> None:
        self._limit = queue_limit
        self._enqueue = redis.register_script(ENQUEUE)

    async def enqueue(
        self,
        call: TaskCall,
        job_id: str,
        *,
        source: JobSource,
        defer_by: timedelta | None = None,
        expires: timedelta | None = None,
        schedule: str | None = None,
        due_at_ms: int | None = None,
    ) -> EnqueuedJob:
        """Enqueues a call in one round trip.

        Args:
            call: the task and its arguments.
            job_id: the job's id; if it is in use, the existing job is returned.
            source: the source of the job.
            defer_by: delay until the job is due.
            expires: time after which an unstarted job fails.
            schedule: name of the schedule, for a tick; the queue limit then does not apply.
            due_at_ms: due time of a tick.

        Raises:
            InvalidInput: an option is invalid, or the arguments are too large.
            Conflict: the id belongs to a job of another task or with other arguments.
            QueueFull: the queue has reached its limit.
            RedisUnavailable: Redis does not answer.
        """
        _check_delays(defer_by, expires)
        _check_job_id(job_id)
        encoded = codec.encode({"task": call.task, "arguments": call.arguments})
        if len(encoded) > MAX_PAYLOAD_BYTES:
            raise InvalidInput(
                f"{call.task}: its arguments have {len(encoded):,} bytes; "
                f"at most {MAX_PAYLOAD_BYTES:,} are sent"
            )
        fingerprint = hashlib.blake2b(encoded, digest_size=12).hexdigest()
        job = serialize_job(call.task, (), call.arguments, None, timestamp_ms(), serializer=codec.encode)
        job_keys = [
            keys.job_key(job_id),
            keys.result_key(job_id),
            keys.in_progress_key(job_id),
            keys.record_key(job_id),
            keys.queue_key(call.queue),
            keys.ABORTED_JOBS,
            # Only with a schedule: an empty key is outside our prefixes, and the ACL may forbid it.
            *(() if schedule is None else (keys.schedule_key(schedule),)),
        ]
        job_facts: list[EncodableT] = [
            job_id,
            job,
            "" if due_at_ms is None else due_at_ms,
            to_ms(defer_by) or 0,
            to_ms(expires) or "",
            call.task,
            call.queue.value,
            fingerprint,
            keys.notify_channel(call.queue),
            self._limit if schedule is None else "",
            *source.fields(),
        ]
        with _traced(call, job_id) as traced:
            if traced.traceparent is not None:
                job_facts += [TRACE_FIELD, traced.traceparent]
            with redis_errors():
                outcome, owner = cast("tuple[int, bytes]", await self._enqueue(job_keys, job_facts))
            if outcome < 0:
                raise QueueFull(f"the queue {call.queue} is full ({self._limit:,} jobs); try again later")
            if not outcome and owner and decode_text(owner) != fingerprint:
                raise Conflict(
                    f"job {job_id} is in use for another task or with other arguments", job_id=job_id
                )
        return EnqueuedJob(job_id=job_id, task=call.task, queue=call.queue, created=outcome > 0)


def _traced(call: TaskCall, job_id: str) -> AbstractContextManager[Span]:
    facts = {"messaging.destination.name": call.queue.value, "messaging.message.id": job_id}
    return span(SpanKind.PRODUCER, f"enqueue {call.task}", **facts)


def can_be_job_id(job_id: str) -> bool:
    """Whether a text is a valid job id."""
    return 0 < len(job_id) <= MAX_JOB_ID_LENGTH and job_id.isprintable()


def _check_job_id(job_id: str) -> None:
    if not can_be_job_id(job_id):
        raise InvalidInput(f"job_id: must have 1 to {MAX_JOB_ID_LENGTH} printable characters", field="job_id")


def _check_delays(defer_by: timedelta | None, expires: timedelta | None) -> None:
    for name, delay in (("defer_by", defer_by), ("expires", expires)):
        if delay is not None and not timedelta(0) <= delay <= _MAX_DELAY:
            raise InvalidInput(f"{name}: must be between 0 and 365 days", field=name)
    if expires is not None and expires <= (defer_by or timedelta(0)):
        raise InvalidInput("expires: must be later than the job is due", field="expires")
