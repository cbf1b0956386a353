"""Running the jobs of one queue: taken in one round trip, woken instead of polling."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from arq.jobs import DeserializationError
from arq.worker import JobExecutionFailed

from flexiprice.domain.run import RunState
from flexiprice.errors import InvalidInput
from flexiprice.jobs import keys
from flexiprice.jobs.claims import ClaimedJob, JobClaims
from flexiprice.jobs.declarations import TaskArguments
from flexiprice.jobs.fleet import RunningJob
from flexiprice.resources import Resources
from flexiprice.settings import Queue
from flexiprice.telemetry import get_logger
from workers.runtime.definition import JobCall, encoded_result, instant, known_call, read_call, run_facts
from workers.runtime.execution import CANCELLED, Outcome, run_task
from workers.runtime.patience import AWAY, Patience
from workers.runtime.progress import reporting
from workers.runtime.quarantine import set_aside
from workers.runtime.run_events import RunEnd, RunObserver
from workers.runtime.surroundings import Surroundings
from workers.runtime.task import Task, TaskRun

_LOGGER = get_logger(__name__)
# While nothing is heard: for jobs of clients that announce nothing, and those of workers that died.
_LOOK_EVERY: Final = 1.0
# How soon a running job that is called off is found; arq announces nothing of it.
_LOOK_EVERY_WHILE_BUSY: Final = 0.5


@dataclass(slots=True)
class _Held:
    """A job that this consumer has taken and not let go of."""

    job: ClaimedJob
    call: JobCall
    # Why it is to end before its time, once it is.
    ending: RunState | None = None
    work: asyncio.Task[None] | None = None
    # Only its task's own work may be cancelled, and not what is written down of it.
    in_body: bool = False

    def end(self, why: RunState) -> None:
        """Ends it early; the first reason stays."""
        if self.ending is not None:
            return
        self.ending = why
        if self.in_body and self.work is not None:
            self.work.cancel()


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
        surroundings: Surroundings,
        resources: Resources,
        worker_id: str,
        on_fenced: Callable[[], None],
    ) -> None:
        """Prepares it.

        Args:
            queue: from which it takes.
            tasks: what it can run.
            surroundings: what the worker's process gives it.
            resources: what it gives the tasks; their database sessions carry the worker's name.
            worker_id: in whose name it works.
            on_fenced: is told when a task finds that the worker counts as lost.
        """
        settings = surroundings.settings
        self.queue = queue
        self._tasks: Mapping[str, Task[TaskArguments]] = {task.declaration.name: task for task in tasks}
        self._resources = resources
        self._worker_id = worker_id
        self._concurrency = settings.worker_concurrency
        self._window = settings.worker_concurrency * settings.worker_prefetch
        self._announcements = surroundings.announcements
        self._patience: Patience = surroundings.patience
        self._observer: RunObserver = surroundings.observer
        self._metrics = surroundings.metrics
        self._on_fenced = on_fenced
        self._claims = JobClaims(surroundings.redis, settings, worker_id=worker_id)
        self._held: dict[str, _Held] = {}
        self._wake = asyncio.Event()
        self._taking = asyncio.Lock()
        self._takes = True

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
        async with self._announcements.listening(keys.wake_channel(self.queue)) as self._wake:
            while True:
                self._wake.clear()
                pause = await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def stop_taking(self) -> None:
        """Takes no more jobs; what it was about to take is held when this returns."""
        self._takes = False
        async with self._taking:
            pass

    def end_all(self, why: RunState) -> None:
        """Ends whatever runs: `handed_back` to be run by another worker at once, or `lost`."""
        for held in self._held.values():
            held.end(why)

    async def until_idle(self) -> None:
        """Returns when it holds no job."""
        while works := [held.work for held in self._held.values() if held.work is not None]:
            await asyncio.wait(works)

    async def _look(self) -> float:
        """Takes what is due; returns after how many seconds to look again."""
        try:
            async with self._taking:
                next_due_ms = await self._take_due()
        except AWAY as error:
            self._patience.lost(error)
            return _LOOK_EVERY
        self._patience.found()
        pause = _LOOK_EVERY_WHILE_BUSY if self._held else _LOOK_EVERY
        return pause if next_due_ms is None else min(pause, next_due_ms / 1000)

    async def _take_due(self) -> int | None:
        """Takes and starts what is due; returns in how many milliseconds the next job is, if known."""
        room = self._concurrency - len(self._held) if self._takes else 0
        if not (room or self._held):
            return None
        taken = await self._claims.take(
            self.queue, room=room, window=self._window, held=self._held, tasks=self._tasks
        )
        for job in taken.jobs:
            self._start(job)
        for job_id in taken.called_off:
            if held := self._held.get(job_id):
                held.end(RunState.REVOKED)
        return taken.next_due_ms if room else None

    def _start(self, job: ClaimedJob) -> None:
        held = self._held[job.job_id] = _Held(job, known_call(job))
        held.work = asyncio.create_task(self._run(held), name=f"job {job.job_id}")
        held.work.add_done_callback(lambda work: self._ended(job.job_id, work))

    def _ended(self, job_id: str, work: asyncio.Task[None]) -> None:
        del self._held[job_id]
        self._wake.set()
        if not work.cancelled() and (error := work.exception()) is not None:
            # Still marked as this worker's and no longer held, it is taken again.
            _LOGGER.error("a job could not be run", job_id=job_id, exc_info=error)

    async def _run(self, held: _Held) -> None:
        job = held.job
        if job.body is None:
            _LOGGER.warning("job expired", job_id=job.job_id, task=held.call.task)
            await self._end(held, error=JobExecutionFailed("job expired"))
            return
        try:
            call = read_call(job)
        except DeserializationError as error:
            self._metrics.record_quarantined("corrupt_message")
            await self._patience.until_back(lambda: set_aside(self._resources.redis, job))
            await self._end(held, error=error)
            return
        task = self._tasks.get(call.task)
        if task is None:
            await self._refuse(held)
            return
        if held.ending is RunState.REVOKED:
            await self._end(held, error=asyncio.CancelledError())
            return
        await self._attempt(held, task)

    async def _refuse(self, held: _Held) -> None:
        job, task = held.job, held.call.task
        if "task" in job.record:
            # Then it was left for others until now.
            _LOGGER.warning("no worker knows the task", job_id=job.job_id, task=task)
            await self._end(held, error=JobExecutionFailed(f"function {task!r} not found"))
            return
        # A plain arq client's job, of which nobody could know before it was taken.
        await self._patience.until_back(lambda: self._claims.name_task(job, task))
        await self._patience.until_back(lambda: self._claims.give_back(job))

    async def _attempt(self, held: _Held, task: Task[TaskArguments]) -> None:
        facts = run_facts(held.job, held.call)
        self._observer.run_started(facts)
        outcome = Outcome(state=RunState.LOST)
        try:
            outcome = await self._written_down(held, await self._outcome(held, task))
        finally:
            # Where Redis stays away to the end, somebody else finds the run lost; nobody knows better.
            self._observer.run_ended(
                facts,
                RunEnd(
                    state=outcome.state,
                    finished_at=datetime.now(tz=UTC),
                    result=outcome.result,
                    error=outcome.error,
                ),
            )

    async def _outcome(self, held: _Held, task: Task[TaskArguments]) -> Outcome:
        job, call = held.job, held.call
        if call.unnamed:
            error = InvalidInput(f"{call.task}: its arguments have names")
            return Outcome(state=RunState.FAILED, error=error)
        redis = self._resources.redis
        async with reporting(redis, job_id=job.job_id, worker_id=self._worker_id) as progress:
            run = TaskRun(
                job_id=job.job_id,
                enqueued_at=instant(call.enqueued_ms),
                worker_id=self._worker_id,
                attempt=call.attempt,
                now=datetime.now(tz=UTC),
                resources=self._resources,
                progress=progress,
            )
            outcome = CANCELLED
            if held.ending is None:
                held.in_body = True
                outcome = await run_task(task, run, call.arguments, request_id=job.record.get("request"))
                held.in_body = False
                _forget_cancellation()
        if outcome is not CANCELLED or held.ending is None:
            return outcome
        called_off = held.ending is RunState.REVOKED
        return Outcome(state=held.ending, error=asyncio.CancelledError() if called_off else None)

    async def _written_down(self, held: _Held, outcome: Outcome) -> Outcome:
        """Says in Redis how a run ended; returns how it ended in truth."""
        job = held.job
        match outcome.state:
            case RunState.LOST:
                # Whoever finds the worker lost gives the job back.
                if outcome.error is not None:
                    self._on_fenced()
                return outcome
            case RunState.HANDED_BACK:
                stands = await self._patience.until_back(lambda: self._claims.give_back(job))
            case RunState.RETRYING:
                assert outcome.retry_in is not None  # noqa: S101 -- what the state means
                pause = outcome.retry_in
                stands = await self._patience.until_back(lambda: self._claims.try_again(job, pause))
            case _:
                stands = await self._end(held, result=outcome.result, error=outcome.error)
        if stands:
            return outcome
        _LOGGER.warning("the job was another worker's by then", job_id=job.job_id, task=held.call.task)
        return Outcome(state=RunState.LOST)

    async def _end(self, held: _Held, *, result: object = None, error: BaseException | None = None) -> bool:
        encoded = encoded_result(held.job, held.call, result=result, error=error)
        return await self._patience.until_back(lambda: self._claims.end(held.job, encoded))


def _forget_cancellation() -> None:
    """What ended the task's work must not end what is written down of it."""
    work = asyncio.current_task()
    while work is not None and work.cancelling():
        work.uncancel()
