"""The task queue as producers see it: enqueue a job, read its status, wait for its result."""

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import uuid4

from arq.connections import ArqRedis
from arq.jobs import DeserializationError, deserialize_job, serialize_job
from arq.utils import timestamp_ms, to_ms, to_unix_ms
from redis.typing import EncodableT

from flexiprice.errors import Conflict, InvalidInput, NotFound
from flexiprice.jobs import codec, keys
from flexiprice.jobs.announcements import Announcements
from flexiprice.jobs.declarations import TaskArguments, TaskDeclaration
from flexiprice.jobs.fleet import LiveWorker, find_live_workers
from flexiprice.jobs.redis import redis_errors
from flexiprice.jobs.scripts import ENQUEUE
from flexiprice.jobs.status import JobStatus, JobTraces, RunStatus, read_status
from flexiprice.settings import Queue, Settings

MAX_JOB_ID_LENGTH: Final = 200
_LONGEST_DELAY: Final = timedelta(days=365)
# A tick of a schedule is never enqueued twice within this time, whatever became of its job.
_TICK_MEMORY: Final = timedelta(days=2)
# While nothing is heard, whoever waits looks by itself so often.
_LOOK_EVERY: Final = 1.0


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
    """Enqueues jobs and tells what became of them. Holds no connection until it is used."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self._redis = redis
        self._settings = settings
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
    ) -> EnqueuedJob:
        """Enqueues a job, in one round trip.

        Args:
            task: what to run.
            arguments: by name, as the task declares them.
            job_id: makes the call safe to repeat: while a job of this id waits, runs, or can be asked
                for its result, that job is returned and nothing is enqueued.
            defer_by: how long to wait before the job is due.
            expires: a job that no worker has started this long after now fails as `expired`.

        Raises:
            InvalidInput: an argument or an option cannot be used; `details["field"]` names it.
            Conflict: the id belongs to a job of another task or with other arguments.
            RedisUnavailable: Redis does not answer.
        """
        _check_delays(defer_by, expires)
        job_id = uuid4().hex if job_id is None else job_id
        return await self._put(task, arguments, job_id, defer_by=defer_by, expires=expires)

    async def enqueue_tick(
        self,
        task: TaskDeclaration[TaskArguments],
        *,
        arguments: Mapping[str, object],
        schedule: str,
        tick_at: datetime,
    ) -> EnqueuedJob:
        """Enqueues the run of a schedule's tick: once, however many workers tick, and when it is due.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        job_id = f"{schedule}:{tick_at:%Y-%m-%dT%H:%M:%SZ}"
        return await self._put(task, arguments, job_id, schedule=schedule, due_at_ms=to_unix_ms(tick_at))

    async def _put(
        self,
        task: TaskDeclaration[TaskArguments],
        arguments: Mapping[str, object] | TaskArguments | None,
        job_id: str,
        *,
        defer_by: timedelta | None = None,
        expires: timedelta | None = None,
        schedule: str | None = None,
        due_at_ms: int | None = None,
    ) -> EnqueuedJob:
        _check_job_id(job_id)
        parsed = task.parse(arguments).model_dump()
        call = codec.encode({"task": task.name, "arguments": parsed})
        fingerprint = hashlib.blake2b(call, digest_size=12).hexdigest()
        job = serialize_job(task.name, (), parsed, None, timestamp_ms(), serializer=codec.encode)
        job_keys = [
            keys.job_key(job_id),
            keys.result_key(job_id),
            keys.in_progress_key(job_id),
            keys.record_key(job_id),
            keys.queue_key(task.queue),
            keys.ABORTED_JOBS,
            "" if schedule is None else keys.tick_key(schedule, due_at_ms or 0),
        ]
        job_facts: list[EncodableT] = [
            job_id,
            job,
            "" if due_at_ms is None else due_at_ms,
            to_ms(defer_by) or 0,
            to_ms(expires) or "",
            task.name,
            task.queue.value,
            fingerprint,
            keys.wake_channel(task.queue),
            to_ms(_TICK_MEMORY),
        ]
        with redis_errors():
            reply = cast("tuple[int, bytes]", await self._enqueue(job_keys, job_facts))
        created, owner = bool(reply[0]), _text(reply[1])
        if not created and owner and owner != fingerprint:
            raise Conflict(f"job {job_id} is in use for another task or with other arguments", job_id=job_id)
        return EnqueuedJob(job_id=job_id, task=task.name, queue=task.queue, created=created)

    async def status(self, job_id: str) -> JobStatus:
        """What is known of a job, in one round trip.

        Raises:
            NotFound: there is no such job, or its result is no longer kept.
            RedisUnavailable: Redis does not answer.
        """
        status = read_status(job_id, await self._traces(job_id)) if _can_be_job_id(job_id) else None
        if status is None:
            raise NotFound(f"there is no job {job_id!r}, or its result is no longer kept", job_id=job_id)
        return status

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

    async def live_workers(self) -> tuple[LiveWorker, ...]:
        """The workers whose latest heartbeat is fresh.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        return await find_live_workers(self._redis)

    async def _traces(self, job_id: str) -> JobTraces:
        queues = tuple(Queue)
        with redis_errors():
            # A transaction, or a job that ends in between would be seen nowhere.
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.get(keys.result_key(job_id))
                pipe.exists(keys.job_key(job_id))
                pipe.exists(keys.in_progress_key(job_id))
                pipe.get(keys.retry_key(job_id))
                pipe.hgetall(keys.record_key(job_id))
                pipe.time()
                for queue in queues:
                    pipe.zscore(keys.queue_key(queue), job_id)
                reply: list[Any] = await pipe.execute()
            result, waiting, in_progress, tries, record, (seconds, micros), *scores = reply
            if waiting and b"task" not in record:
                record |= await self._foreign_record(job_id)
        return JobTraces(
            result=result,
            waiting=bool(waiting),
            in_progress=bool(in_progress),
            tries=int(tries or 0),
            record={_text(name): _text(value) for name, value in record.items()},
            due_at_ms={
                queue: score for queue, score in zip(queues, scores, strict=True) if score is not None
            },
            now_ms=seconds * 1000 + micros // 1000,
        )

    async def _foreign_record(self, job_id: str) -> dict[bytes, str]:
        """Stands in for our record where a plain arq client has enqueued a job."""
        encoded: bytes = await self._redis.get(keys.job_key(job_id)) or b""
        try:
            job = deserialize_job(encoded, deserializer=codec.decode)
        except DeserializationError:
            return {}
        return {b"task": job.function, b"enqueued": str(to_unix_ms(job.enqueue_time))}


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _can_be_job_id(job_id: str) -> bool:
    return 0 < len(job_id) <= MAX_JOB_ID_LENGTH and job_id.isprintable()


def _check_job_id(job_id: str) -> None:
    if not _can_be_job_id(job_id):
        raise InvalidInput(f"job_id: must have 1 to {MAX_JOB_ID_LENGTH} printable characters", field="job_id")


def _check_delays(defer_by: timedelta | None, expires: timedelta | None) -> None:
    for name, delay in (("defer_by", defer_by), ("expires", expires)):
        if delay is not None and not timedelta(0) <= delay <= _LONGEST_DELAY:
            raise InvalidInput(f"{name}: must be between nothing and a year", field=name)
    if expires is not None and expires <= (defer_by or timedelta(0)):
        raise InvalidInput("expires: must be later than the job is due", field="expires")


__all__ = ["EnqueuedJob", "JobStatus", "RunStatus", "TaskQueue"]
