"""Consumes one queue: claims jobs in one round trip, and wakes on pub/sub messages."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

from flexiprice.domain.run import RunStatus
from flexiprice.queue.declarations import TaskArguments
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.replies import RedisRefusal, sentence_of
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.queue.worker.claims import JobClaims
from flexiprice.queue.worker.heartbeat import RunningJob
from flexiprice.resources import Resources
from flexiprice.settings import Queue
from flexiprice.telemetry import get_logger
from workers.runtime.context import WorkerContext
from workers.runtime.jobs.runner import InFlightJob, JobRunner
from workers.runtime.jobs.task import Task
from workers.runtime.redis_retry import REDIS_UNAVAILABLE, RedisRetry

_LOGGER = get_logger(__name__)
# Polling finds jobs of clients that publish nothing, and jobs of dead workers.
_POLL_SECONDS: Final = 1.0
# Polling also finds revoked running jobs: arq publishes nothing for them.
_BUSY_POLL_SECONDS: Final = 0.5


class Consumer:
    """Claims and runs the jobs of one queue for one worker.

    One round trip claims as many jobs as there are free slots. The next follows when a job is published, when
    one of its own ends, when a deferred job is due, and at the polling interval.
    """

    def __init__(
        self,
        queue: Queue,
        tasks: Iterable[Task[TaskArguments]],
        *,
        context: WorkerContext,
        resources: Resources,
        worker_id: str,
        on_fenced: Callable[[], None],
    ) -> None:
        """Starts without claims.

        Args:
            queue: the queue to consume.
            tasks: the tasks that it can run.
            context: the resources of the worker process.
            resources: the resources for tasks; their database sessions carry the worker's id.
            worker_id: the worker that holds the claims.
            on_fenced: called when a task finds that the worker's lease has expired.
        """
        settings = context.settings
        self.queue = queue
        self._tasks: Mapping[str, Task[TaskArguments]] = {task.declaration.name: task for task in tasks}
        self._concurrency = settings.worker_concurrency
        self._window = settings.worker_concurrency * settings.worker_prefetch
        self._announcements = context.announcements
        self._redis_retry: RedisRetry = context.redis_retry
        self._database_gate = context.database_gate
        self._claims = JobClaims(context.redis, settings, worker_id=worker_id)
        self._runner = JobRunner(
            self._tasks,
            context=context,
            resources=resources,
            claims=self._claims,
            worker_id=worker_id,
            on_fenced=on_fenced,
        )
        self._in_flight: dict[str, InFlightJob] = {}
        self._wake = asyncio.Event()
        self._claim_lock = asyncio.Lock()
        self._consuming = True
        self._looked_at = 0
        self._refusal: BaseException | None = None

    @property
    def running(self) -> tuple[RunningJob, ...]:
        """The jobs in flight."""
        return tuple(
            RunningJob(
                job_id=in_flight.job.job_id,
                task=in_flight.job.message.task,
                queue=self.queue,
                attempt=in_flight.job.message.attempt,
                started_at=keys.instant_of(in_flight.job.started_ms),
            )
            for in_flight in list(self._in_flight.values())
        )

    async def main(self) -> None:
        """Claims and runs jobs until it is cancelled."""
        async with self._announcements.subscribe(keys.notify_channel(self.queue)) as self._wake:
            while True:
                self._wake.clear()
                pause = await self._poll()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def stop_consuming(self) -> None:
        """Stops claiming. Jobs of a claim in progress are in flight when this returns."""
        self._consuming = False
        async with self._claim_lock:
            pass

    def cancel_all(self, reason: RunStatus) -> None:
        """Cancels all jobs: `released` requeues them at once; `lost` leaves them to the reaper."""
        for in_flight in self._in_flight.values():
            in_flight.cancel(reason)

    async def join(self) -> None:
        """Waits until no job is in flight."""
        while works := [
            in_flight.work for in_flight in self._in_flight.values() if in_flight.work is not None
        ]:
            await asyncio.wait(works)

    async def _poll(self) -> float:
        """Claims due jobs. Returns the seconds until the next poll.

        Raises:
            RedisRefusal: Redis refuses this client permanently.
        """
        if self._refusal is not None:
            raise self._refusal
        try:
            async with self._claim_lock:
                next_due_ms = await self._claim_due()
        except REDIS_UNAVAILABLE as error:
            self._redis_retry.mark_down(error)
            return _POLL_SECONDS
        self._redis_retry.mark_up()
        pause = _BUSY_POLL_SECONDS if self._in_flight else _POLL_SECONDS
        return pause if next_due_ms is None else min(pause, next_due_ms / 1000)

    async def _claim_due(self) -> int | None:
        """Claims and starts due jobs. Returns the milliseconds until the next one is due, if known."""
        can_claim = self._consuming and self._database_gate.is_open
        free_slots = self._concurrency - len(self._in_flight) if can_claim else 0
        if not (free_slots or self._in_flight):
            return None
        claimed = await self._claims.take(
            self.queue,
            room=free_slots,
            window=self._window,
            held=self._in_flight,
            tasks=self._tasks,
            looked_at=self._looked_at,
        )
        self._looked_at = claimed.looked_at
        for job in claimed.jobs:
            self._start(job)
        for job_id in claimed.revoked:
            if in_flight := self._in_flight.get(job_id):
                in_flight.cancel(RunStatus.REVOKED)
        return claimed.next_due_ms if free_slots else None

    def _start(self, job: ClaimedJob) -> None:
        in_flight = self._in_flight[job.job_id] = InFlightJob(job)
        in_flight.work = asyncio.create_task(self._runner.process_job(in_flight), name=f"job {job.job_id}")
        in_flight.work.add_done_callback(lambda work: self._on_done(job.job_id, work))

    def _on_done(self, job_id: str, work: asyncio.Task[None]) -> None:
        del self._in_flight[job_id]
        self._wake.set()
        if work.cancelled() or (error := work.exception()) is None:
            return
        if isinstance(error, RedisRefusal):
            # It would be run again and again without being released.
            self._refusal = error
        elif isinstance(error, REDIS_UNAVAILABLE):
            _LOGGER.warning("job_not_released", job_id=job_id, reason=sentence_of(error))
        else:
            # Still claimed and no longer in flight, it is claimed again.
            _LOGGER.error("job_processing_failed", job_id=job_id, exc_info=error)
