"""The task queue as producers see it: enqueue a job, read its status, wait for its result."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import uuid4

from arq.connections import ArqRedis
from arq.jobs import serialize_job
from arq.utils import timestamp_ms, to_ms, to_unix_ms
from redis.typing import EncodableT

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import Conflict, InvalidInput, NotFound, QueueFull
from flexiprice.jobs import codec, keys
from flexiprice.jobs.announcements import Announcements
from flexiprice.jobs.declarations import TaskArguments, TaskDeclaration
from flexiprice.jobs.fleet import LiveWorker, find_live_workers
from flexiprice.jobs.origin import UNKNOWN_ORIGIN, JobOrigin
from flexiprice.jobs.redis import redis_errors
from flexiprice.jobs.scripts import ENQUEUE
from flexiprice.jobs.status import JobStatus, RunStatus, read_status
from flexiprice.jobs.traces import read_traces, text
from flexiprice.settings import Queue, Settings

MAX_JOB_ID_LENGTH: Final = 200
_LONGEST_DELAY: Final = timedelta(days=365)
# Of a job's arguments as they are sent: room for the ten thousand batches that a job may name.
MAX_PAYLOAD_BYTES: Final = 128 * 1024
# While nothing is heard, whoever waits looks by itself so often.
_LOOK_EVERY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """A task with its arguments, as a job is made of it."""

    task: str
    queue: Queue
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueuedJob:
    """A job in its queue.

    Attributes:
        job_id: by which its status is asked for.
        task: the task's name.
        queue: where it waits.
        created: false where the id was in use, and this is the job that used it.
    """

    job_id: str
    task: str
    queue: Queue
    created: bool


class TaskQueue:
    """Enqueues jobs and tells what became of them. Holds no connection until it is used.

    Attributes:
        redis: where the jobs are.
        settings: those of the program.
    """

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self.redis = redis
        self.settings = settings
        self._announcements = Announcements(redis)
        self._enqueue = redis.register_script(ENQUEUE)

    async def aclose(self) -> None:
        """Stops listening for results; the Redis client stays its owner's."""
        await self._announcements.aclose()

    async def enqueue(
        self,
        task: TaskDeclaration[TaskArguments],
        *,
        arguments: Mapping[str, object] | TaskArguments | None = None,
        job_id: str | None = None,
        defer_by: timedelta | None = None,
        expires: timedelta | None = None,
        origin: JobOrigin = UNKNOWN_ORIGIN,
    ) -> EnqueuedJob:
        """Enqueues a job, in one round trip.

        Args:
            task: what to run.
            arguments: by name, as the task declares them.
            job_id: makes the call safe to repeat: while a job of this id waits, runs, or can be asked
                for its result, that job is returned and nothing is enqueued.
            defer_by: how long to wait before the job is due.
            expires: a job that no worker has started this long after now fails as `expired`.
            origin: what has it enqueued, for the history of runs.

        Raises:
            InvalidInput: an argument or an option cannot be used; `details["field"]` names it.
            Conflict: the id belongs to a job of another task or with other arguments.
            QueueFull: its queue holds `queue_limit` jobs.
            RedisUnavailable: Redis does not answer.
        """
        _check_delays(defer_by, expires)
        job_id = uuid4().hex if job_id is None else job_id
        parsed = task.parse(arguments).model_dump()
        return await self._put(
            Call(task.name, task.queue, parsed), job_id, defer_by=defer_by, expires=expires, origin=origin
        )

    async def enqueue_call(self, call: Call, *, origin: JobOrigin) -> EnqueuedJob:
        """Enqueues what was enqueued before, whether or not this program knows its task.

        Raises:
            InvalidInput: its arguments are too large.
            QueueFull: its queue holds `queue_limit` jobs.
            RedisUnavailable: Redis does not answer.
        """
        return await self._put(call, uuid4().hex, origin=origin)

    async def enqueue_tick(
        self,
        task: TaskDeclaration[TaskArguments],
        *,
        arguments: Mapping[str, object],
        schedule: str,
        tick_at: datetime,
        late: bool = False,
    ) -> EnqueuedJob:
        """Enqueues the run of a schedule's tick: once, however many workers tick, and when it is due.

        Ticks are taken in order, so one that is not later than the last is not enqueued; nor is one of a
        schedule that is paused. No limit of the queue applies.

        Args:
            task: what to run.
            arguments: by name.
            schedule: the schedule's name.
            tick_at: the tick's instant, to the second.
            late: it was missed, and is caught up with.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        return await self._put(
            Call(task.name, task.queue, task.parse(arguments).model_dump()),
            f"{schedule}:{tick_at:%Y-%m-%dT%H:%M:%SZ}",
            schedule=schedule,
            due_at_ms=to_unix_ms(tick_at),
            origin=JobOrigin(trigger=RunTrigger.LATE_SCHEDULE if late else RunTrigger.SCHEDULE),
        )

    async def _put(
        self,
        call: Call,
        job_id: str,
        *,
        origin: JobOrigin,
        defer_by: timedelta | None = None,
        expires: timedelta | None = None,
        schedule: str | None = None,
        due_at_ms: int | None = None,
    ) -> EnqueuedJob:
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
            "" if schedule is None else keys.schedule_key(schedule),
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
            keys.wake_channel(call.queue),
            self.settings.queue_limit if schedule is None else "",
            *origin.fields(),
        ]
        with redis_errors():
            outcome, owner = cast("tuple[int, bytes]", await self._enqueue(job_keys, job_facts))
        if outcome < 0:
            limit = self.settings.queue_limit
            raise QueueFull(f"the queue {call.queue} is full ({limit:,} jobs); try again later")
        if not outcome and owner and text(owner) != fingerprint:
            raise Conflict(f"job {job_id} is in use for another task or with other arguments", job_id=job_id)
        return EnqueuedJob(job_id=job_id, task=call.task, queue=call.queue, created=outcome > 0)

    async def status(self, job_id: str) -> JobStatus:
        """What is known of a job, in one round trip.

        Raises:
            NotFound: there is no such job, or its result is no longer kept.
            RedisUnavailable: Redis does not answer.
        """
        return (await self.statuses([job_id]))[0]

    async def statuses(self, job_ids: Sequence[str]) -> tuple[JobStatus, ...]:
        """What is known of several jobs, in their order and in one round trip.

        Raises:
            NotFound: one of them is unknown, or its result is no longer kept.
            RedisUnavailable: Redis does not answer.
        """
        found = await self.find_statuses([job_id for job_id in job_ids if can_be_job_id(job_id)])
        for job_id in job_ids:
            if job_id not in found:
                raise NotFound(f"there is no job {job_id!r}, or its result is no longer kept", job_id=job_id)
        return tuple(found[job_id] for job_id in job_ids)

    async def find_statuses(self, job_ids: Sequence[str]) -> Mapping[str, JobStatus]:
        """What is known of those of some jobs of which anything is, in one round trip.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        if not job_ids:
            return {}
        traces = await read_traces(self.redis, job_ids)
        statuses = {job_id: read_status(job_id, of_job) for job_id, of_job in traces.items()}
        return {job_id: status for job_id, status in statuses.items() if status is not None}

    async def wait(self, job_id: str, timeout: timedelta) -> JobStatus:  # noqa: ASYNC109 -- the last status is the answer
        """What is known of a job as soon as it has ended, or when the time is over.

        Raises:
            NotFound: there is no such job, or its result is no longer kept.
            RedisUnavailable: Redis does not answer.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout.total_seconds()
        status = await self.status(job_id)
        if status.ready or timeout <= timedelta(0):
            return status
        async with self._announcements.listening(keys.finished_channel(job_id)) as heard:
            while (remaining := deadline - loop.time()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(remaining, _LOOK_EVERY)):
                        await heard.wait()
                heard.clear()
                status = await self.status(job_id)
                if status.ready:
                    break
        return status

    async def follow(self, job_id: str) -> AsyncGenerator[JobStatus]:
        """What is known of a job, at once and whenever that changes, until it has ended.

        Raises:
            NotFound: there is no such job, or its result is no longer kept.
            RedisUnavailable: Redis does not answer.
        """
        async with self._announcements.listening(keys.finished_channel(job_id)) as heard:
            told = None
            while told is None or not told.ready:
                heard.clear()
                status = await self.status(job_id)
                if status != told:
                    told = status
                    yield status
                else:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_LOOK_EVERY):
                            await heard.wait()

    async def live_workers(self) -> tuple[LiveWorker, ...]:
        """The workers whose latest heartbeat is fresh.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        return await find_live_workers(self.redis)


def can_be_job_id(job_id: str) -> bool:
    """Whether a job may have this id; any other text names none."""
    return 0 < len(job_id) <= MAX_JOB_ID_LENGTH and job_id.isprintable()


def _check_job_id(job_id: str) -> None:
    if not can_be_job_id(job_id):
        raise InvalidInput(f"job_id: must have 1 to {MAX_JOB_ID_LENGTH} printable characters", field="job_id")


def _check_delays(defer_by: timedelta | None, expires: timedelta | None) -> None:
    for name, delay in (("defer_by", defer_by), ("expires", expires)):
        if delay is not None and not timedelta(0) <= delay <= _LONGEST_DELAY:
            raise InvalidInput(f"{name}: must be between nothing and a year", field=name)
    if expires is not None and expires <= (defer_by or timedelta(0)):
        raise InvalidInput("expires: must be later than the job is due", field="expires")


__all__ = ["EnqueuedJob", "JobStatus", "RunStatus", "TaskQueue"]
