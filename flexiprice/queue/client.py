"""The client of the task queue: enqueue jobs, read their status, wait for their results."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import NotFound
from flexiprice.queue.arq import ArqRedis, to_unix_ms
from flexiprice.queue.declarations import TaskArguments, TaskDeclaration
from flexiprice.queue.enqueue import (
    MAX_JOB_ID_LENGTH,
    MAX_PAYLOAD_BYTES,
    EnqueuedJob,
    Enqueuer,
    TaskCall,
    can_be_job_id,
)
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.pubsub import PubSubListener
from flexiprice.queue.snapshot import read_snapshots
from flexiprice.queue.source import UNKNOWN_SOURCE, JobSource
from flexiprice.queue.status import JobInfo, JobStatus, read_status
from flexiprice.queue.worker.heartbeat import LiveWorker, find_live_workers
from flexiprice.settings import Settings

# Waiting clients also poll, in case a pub/sub message is lost.
_POLL_SECONDS: Final = 1.0


class TaskQueue:
    """Enqueues jobs and reads their status. Opens no connection until it is used.

    Attributes:
        redis: the Redis client.
        settings: the program's settings.
    """

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self.redis = redis
        self.settings = settings
        self._announcements = PubSubListener(redis)
        self._enqueuer = Enqueuer(redis, queue_limit=settings.queue_limit)

    async def aclose(self) -> None:
        """Stops listening for results. The caller closes the Redis client."""
        await self._announcements.aclose()

    async def enqueue(
        self,
        task: TaskDeclaration[TaskArguments],
        *,
        arguments: Mapping[str, object] | TaskArguments | None = None,
        job_id: str | None = None,
        defer_by: timedelta | None = None,
        expires: timedelta | None = None,
        source: JobSource = UNKNOWN_SOURCE,
    ) -> EnqueuedJob:
        """Enqueues a job in one round trip.

        Args:
            task: the task.
            arguments: the arguments by name.
            job_id: makes the call idempotent: if a job of this id waits, runs or has a stored result, that
                job is returned and nothing is enqueued.
            defer_by: delay until the job is due.
            expires: a job that no worker has started within this time fails as `expired`.
            source: the source of the job, for the run history.

        Raises:
            InvalidInput: an argument or option is invalid; `details["field"]` names it.
            Conflict: the id belongs to a job of another task or with other arguments.
            QueueFull: its queue holds `queue_limit` jobs.
            RedisUnavailable: Redis does not answer.
        """
        job_id = uuid4().hex if job_id is None else job_id
        parsed = task.parse(arguments).model_dump()
        return await self._enqueuer.enqueue(
            TaskCall(task.name, task.queue, parsed), job_id, defer_by=defer_by, expires=expires, source=source
        )

    async def enqueue_call(self, call: TaskCall, *, source: JobSource) -> EnqueuedJob:
        """Enqueues a call again, even if this program does not know its task.

        Raises:
            InvalidInput: its arguments are too large.
            QueueFull: its queue holds `queue_limit` jobs.
            RedisUnavailable: Redis does not answer.
        """
        return await self._enqueuer.enqueue(call, uuid4().hex, source=source)

    async def enqueue_tick(
        self,
        task: TaskDeclaration[TaskArguments],
        *,
        arguments: Mapping[str, object],
        schedule: str,
        tick_at: datetime,
        late: bool = False,
    ) -> EnqueuedJob:
        """Enqueues a tick of a schedule once, however many workers tick it.

        Ticks are recorded in order: one that is not later than the last is skipped, and so are all ticks of a
        paused schedule. The queue limit does not apply.

        Args:
            task: the task.
            arguments: the arguments by name.
            schedule: the schedule's name.
            tick_at: the time of the tick, to the second.
            late: the tick was missed and is caught up.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        return await self._enqueuer.enqueue(
            TaskCall(task.name, task.queue, task.parse(arguments).model_dump()),
            f"{schedule}:{tick_at:%Y-%m-%dT%H:%M:%SZ}",
            schedule=schedule,
            due_at_ms=to_unix_ms(tick_at),
            source=JobSource(trigger=RunTrigger.LATE_SCHEDULE if late else RunTrigger.SCHEDULE),
        )

    async def status(self, job_id: str) -> JobInfo:
        """Reads the status of a job in one round trip.

        Raises:
            NotFound: there is no such job, or its result is no longer kept.
            RedisUnavailable: Redis does not answer.
        """
        return (await self.statuses([job_id]))[0]

    async def statuses(self, job_ids: Sequence[str]) -> tuple[JobInfo, ...]:
        """Reads the status of several jobs in one round trip; keeps their order.

        Raises:
            NotFound: one of them is unknown, or its result is no longer kept.
            RedisUnavailable: Redis does not answer.
        """
        found = await self.find_statuses([job_id for job_id in job_ids if can_be_job_id(job_id)])
        for job_id in job_ids:
            if job_id not in found:
                raise NotFound(f"there is no job {job_id!r}, or its result is no longer kept", job_id=job_id)
        return tuple(found[job_id] for job_id in job_ids)

    async def find_statuses(self, job_ids: Sequence[str]) -> Mapping[str, JobInfo]:
        """Reads the status of the known ones among some jobs in one round trip.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        if not job_ids:
            return {}
        snapshots = await read_snapshots(self.redis, job_ids)
        statuses = {job_id: read_status(job_id, snapshot) for job_id, snapshot in snapshots.items()}
        return {job_id: status for job_id, status in statuses.items() if status is not None}

    async def wait(self, job_id: str, timeout: timedelta) -> JobInfo:  # noqa: ASYNC109 -- the last status is the answer
        """Waits until a job has finished or the timeout expires, and returns its status.

        Raises:
            NotFound: there is no such job, or its result is no longer kept.
            RedisUnavailable: Redis does not answer.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout.total_seconds()
        status = await self.status(job_id)
        if status.ready or timeout <= timedelta(0):
            return status
        async with self._announcements.subscribe(keys.finished_channel(job_id)) as signal:
            while (remaining := deadline - loop.time()) > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(remaining, _POLL_SECONDS)):
                        await signal.wait()
                signal.clear()
                status = await self.status(job_id)
                if status.ready:
                    break
        return status

    async def follow(self, job_id: str) -> AsyncGenerator[JobInfo]:
        """Yields the status of a job now and at every change, until it has finished.

        Raises:
            NotFound: there is no such job, or its result is no longer kept.
            RedisUnavailable: Redis does not answer.
        """
        async with self._announcements.subscribe(keys.finished_channel(job_id)) as signal:
            latest = None
            while latest is None or not latest.ready:
                signal.clear()
                status = await self.status(job_id)
                if status != latest:
                    latest = status
                    yield status
                else:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_SECONDS):
                            await signal.wait()

    async def live_workers(self) -> tuple[LiveWorker, ...]:
        """Returns the workers whose lease is valid.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        return await find_live_workers(self.redis)


__all__ = [
    "MAX_JOB_ID_LENGTH",
    "MAX_PAYLOAD_BYTES",
    "EnqueuedJob",
    "JobInfo",
    "JobStatus",
    "TaskCall",
    "TaskQueue",
    "can_be_job_id",
]
