"""Running the jobs of one queue: taken in one round trip, woken instead of polling."""

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
from workers.runtime.jobs.message import instant
from workers.runtime.jobs.runner import InFlightJob, JobRunner
from workers.runtime.jobs.task import Task
from workers.runtime.redis_retry import REDIS_UNAVAILABLE, RedisRetry

_LOGGER = get_logger(__name__)
# While nothing is heard: for jobs of clients that announce nothing, and those of workers that died.
_LOOK_EVERY: Final = 1.0
# How soon a running job that is called off is found; arq announces nothing of it.
_LOOK_EVERY_WHILE_BUSY: Final = 0.5


class Consumer:
    """Takes jobs from one queue and runs them in the name of one worker.

    It takes jobs in one round trip, all that it has room for, and looks again when it hears of a new one,
    when one of its own ends, when the next deferred one is due, and from time to time.
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
        """Prepares it.

        Args:
            queue: from which it takes.
            tasks: what it can run.
            context: what the worker's process gives it.
            resources: what it gives the tasks; their database sessions carry the worker's name.
            worker_id: in whose name it works.
            on_fenced: is told when a task finds that the worker counts as lost.
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
        self._held: dict[str, InFlightJob] = {}
        self._wake = asyncio.Event()
        self._claim_lock = asyncio.Lock()
        self._consuming = True
        self._looked_at = 0
        self._refusal: BaseException | None = None

    @property
    def running(self) -> tuple[RunningJob, ...]:
        """The jobs that it holds."""
        return tuple(
            RunningJob(
                job_id=held.job.job_id,
                task=held.call.task,
                queue=self.queue,
                attempt=held.call.attempt,
                started_at=instant(held.job.started_ms),
            )
            for held in list(self._held.values())
        )

    async def main(self) -> None:
        """Takes and runs jobs until it is cancelled."""
        async with self._announcements.subscribe(keys.notify_channel(self.queue)) as self._wake:
            while True:
                self._wake.clear()
                pause = await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def stop_consuming(self) -> None:
        """Takes no more jobs; what it was about to take is held when this returns."""
        self._consuming = False
        async with self._claim_lock:
            pass

    def cancel_all(self, why: RunStatus) -> None:
        """Ends whatever runs: `handed_back` to be run by another worker at once, or `lost`."""
        for held in self._held.values():
            held.end(why)

    async def join(self) -> None:
        """Returns when it holds no job."""
        while works := [held.work for held in self._held.values() if held.work is not None]:
            await asyncio.wait(works)

    async def _look(self) -> float:
        """Takes what is due; returns after how many seconds to look again.

        Raises:
            RedisRefusal: Redis refuses us, and no patience helps.
        """
        if self._refusal is not None:
            raise self._refusal
        try:
            async with self._claim_lock:
                next_due_ms = await self._take_due()
        except REDIS_UNAVAILABLE as error:
            self._redis_retry.lost(error)
            return _LOOK_EVERY
        self._redis_retry.found()
        pause = _LOOK_EVERY_WHILE_BUSY if self._held else _LOOK_EVERY
        return pause if next_due_ms is None else min(pause, next_due_ms / 1000)

    async def _take_due(self) -> int | None:
        """Takes and starts what is due; returns in how many milliseconds the next job is, if known."""
        takes = self._consuming and self._database_gate.is_open
        room = self._concurrency - len(self._held) if takes else 0
        if not (room or self._held):
            return None
        taken = await self._claims.take(
            self.queue,
            room=room,
            window=self._window,
            held=self._held,
            tasks=self._tasks,
            looked_at=self._looked_at,
        )
        self._looked_at = taken.looked_at
        for job in taken.jobs:
            self._start(job)
        for job_id in taken.called_off:
            if held := self._held.get(job_id):
                held.end(RunStatus.REVOKED)
        return taken.next_due_ms if room else None

    def _start(self, job: ClaimedJob) -> None:
        held = self._held[job.job_id] = InFlightJob.of(job)
        held.work = asyncio.create_task(self._runner.process_job(held), name=f"job {job.job_id}")
        held.work.add_done_callback(lambda work: self._ended(job.job_id, work))

    def _ended(self, job_id: str, work: asyncio.Task[None]) -> None:
        del self._held[job_id]
        self._wake.set()
        if work.cancelled() or (error := work.exception()) is None:
            return
        if isinstance(error, RedisRefusal):
            # It would be run again and again, and never be let go of.
            self._refusal = error
        elif isinstance(error, REDIS_UNAVAILABLE):
            _LOGGER.warning("job_not_released", job_id=job_id, reason=sentence_of(error))
        else:
            # Still marked as this worker's and no longer held, it is taken again.
            _LOGGER.error("job_processing_failed", job_id=job_id, exc_info=error)
