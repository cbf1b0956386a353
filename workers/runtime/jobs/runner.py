"""Working off one job that was taken: its task is run once, and how that ended is written down."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flexiprice.domain.run import RunStatus
from flexiprice.errors import CorruptMessage, InvalidInput
from flexiprice.queue.arq import DeserializationError, JobExecutionFailed
from flexiprice.queue.declarations import TaskArguments
from flexiprice.queue.redis import codec
from flexiprice.queue.redis.keys import whole_number
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.queue.worker.claims import JobClaims
from flexiprice.queue.worker.dead_letter_records import (
    NO_DEAD_LETTER,
    DeadLetterNote,
    DeadLetterReason,
    failed_for_good,
)
from flexiprice.resources import Resources
from flexiprice.telemetry import get_logger
from workers.runtime.context import WorkerContext
from workers.runtime.jobs.dead_letters import move_to_dead_letters
from workers.runtime.jobs.execution import CANCELLED, Outcome, run_task
from workers.runtime.jobs.message import (
    JobMessage,
    encoded_result,
    instant,
    parse_leniently,
    pending_run,
    read_call,
    run_info,
    unstarted_run,
)
from workers.runtime.jobs.progress import reporting
from workers.runtime.jobs.task import Task, TaskContext
from workers.runtime.recording.run_events import RunFinished, RunInfo

_LOGGER = get_logger(__name__)


@dataclass(slots=True)
class InFlightJob:
    """A job that a consumer has taken and not let go of."""

    job: ClaimedJob
    call: JobMessage
    # Why it is to end before its time, once it is.
    ending: RunStatus | None = None
    work: asyncio.Task[None] | None = None
    # Only its task's own work may be cancelled, and not what is written down of it.
    running_body: bool = False

    @classmethod
    def of(cls, job: ClaimedJob) -> "InFlightJob":
        """A job that has just been taken."""
        return cls(job, parse_leniently(job))

    def end(self, why: RunStatus) -> None:
        """Ends it early; the first reason stays."""
        if self.ending is not None:
            return
        self.ending = why
        if self.running_body and self.work is not None:
            self.work.cancel()


class JobRunner:
    """Works off the jobs that one consumer takes."""

    def __init__(
        self,
        tasks: Mapping[str, Task[TaskArguments]],
        *,
        context: WorkerContext,
        resources: Resources,
        claims: JobClaims,
        worker_id: str,
        on_fenced: Callable[[], None],
    ) -> None:
        """Prepares it.

        Args:
            tasks: what it can run, by name.
            context: what the worker's process gives it.
            resources: what it gives the tasks; their database sessions carry the worker's name.
            claims: lets go of jobs.
            worker_id: in whose name it works.
            on_fenced: is told when a task finds that the worker counts as lost.
        """
        self._tasks = tasks
        self._resources = resources
        self._claims = claims
        self._worker_id = worker_id
        self._clock = context.clock
        self._redis_retry = context.redis_retry
        self._database_gate = context.database_gate
        self._observer = context.observer
        self._metrics = context.metrics
        self._on_fenced = on_fenced

    async def process_job(self, held: InFlightJob) -> None:
        """Runs the job's task, unless it cannot or must not be run, and lets go of the job."""
        job = held.job
        if job.body is None:
            _LOGGER.warning("job_expired", job_id=job.job_id, task=held.call.task)
            await self._refuse(held, JobExecutionFailed("job expired"))
            return
        try:
            call = read_call(job)
        except DeserializationError as error:
            refusal = CorruptMessage(codec.PICKLED) if codec.is_pickled(job.body) else error
            self._metrics.record_quarantined("corrupt_message")
            await self._redis_retry.call(lambda: move_to_dead_letters(self._resources.redis, job))
            await self._refuse(held, refusal, DeadLetterReason.CORRUPT)
            return
        task = self._tasks.get(call.task)
        if task is None:
            await self._requeue_or_reject(held)
        elif held.ending is RunStatus.REVOKED:
            await self._refuse(held, asyncio.CancelledError())
        else:
            await self._attempt(held, task)

    async def _requeue_or_reject(self, held: InFlightJob) -> None:
        job, task = held.job, held.call.task
        if "task" in job.record:
            # Then it was left for others until now.
            _LOGGER.warning("task_unknown", job_id=job.job_id, task=task)
            error = JobExecutionFailed(f"function {task!r} not found")
            await self._refuse(held, error, DeadLetterReason.UNKNOWN_TASK)
            return
        # A plain arq client's job, of which nobody could know before it was taken.
        await self._redis_retry.call(lambda: self._claims.name_task(job, task))
        await self._redis_retry.call(lambda: self._claims.give_back(job, None))

    async def _refuse(
        self, held: InFlightJob, error: BaseException, reason: DeadLetterReason | None = None
    ) -> None:
        """Ends a job that is not started; the history tells of it like of a run that failed at once."""
        facts = unstarted_run(held.job, held.call)
        revoked = isinstance(error, asyncio.CancelledError)
        outcome = Outcome(state=RunStatus.REVOKED if revoked else RunStatus.FAILED, error=error)
        finished_ms = held.job.now_ms()
        if await self._end(held, facts, outcome, finished_ms, reason):
            self._observer.run_rejected(facts, _end_of(outcome, finished_ms))

    async def _attempt(self, held: InFlightJob, task: Task[TaskArguments]) -> None:
        facts = run_info(held.job, held.call)
        self._observer.run_started(facts)
        outcome, finished_ms = Outcome(state=RunStatus.LOST), None
        try:
            judged = await self._outcome(held, task)
            finished_ms = held.job.now_ms()
            outcome = await self._acknowledge(held, facts, judged, finished_ms)
        finally:
            # Where Redis stays away to the end, somebody else finds the run lost; nobody knows better.
            self._observer.run_ended(facts, _end_of(outcome, finished_ms or held.job.now_ms()))

    async def _outcome(self, held: InFlightJob, task: Task[TaskArguments]) -> Outcome:
        job, call = held.job, held.call
        if call.unnamed:
            names = ", ".join(task.declaration.arguments.model_fields) or "none"
            given = len(call.unnamed)
            error = InvalidInput(
                f"{call.task}: {given} arguments without a name; give each as name=value, of: {names}"
            )
            return Outcome(state=RunStatus.FAILED, error=error)
        redis = self._resources.redis
        async with reporting(
            redis, job_id=job.job_id, worker_id=self._worker_id, clock=self._clock
        ) as progress:
            run = TaskContext(
                job_id=job.job_id,
                enqueued_at=instant(call.enqueued_ms),
                worker_id=self._worker_id,
                attempt=call.attempt,
                resources=self._resources,
                progress=progress,
                parts=whole_number(job.record.get("parts")),
            )
            outcome = CANCELLED
            if held.ending is None:
                held.running_body = True
                outcome = await run_task(task, run, call.arguments, record=job.record)
                held.running_body = False
                self._database_gate.observe(outcome.error)
                _forget_cancellation()
        if outcome is not CANCELLED or held.ending is None:
            return outcome
        called_off = held.ending is RunStatus.REVOKED
        return Outcome(state=held.ending, error=asyncio.CancelledError() if called_off else None)

    async def _acknowledge(
        self, held: InFlightJob, facts: RunInfo, outcome: Outcome, finished_ms: int
    ) -> Outcome:
        """Says in Redis how a run ended; returns how it ended in truth."""
        job = held.job
        match outcome.state:
            case RunStatus.LOST:
                # Whoever finds the worker lost gives the job back.
                if outcome.error is not None:
                    self._on_fenced()
                return outcome
            case RunStatus.HANDED_BACK if outcome.awaits_children:
                run = pending_run(facts, outcome.state, finished_ms)
                stands = await self._redis_retry.call(lambda: self._claims.wait_for_children(job, run))
            case RunStatus.HANDED_BACK:
                run = pending_run(facts, outcome.state, finished_ms)
                stands = await self._redis_retry.call(lambda: self._claims.give_back(job, run))
            case RunStatus.RETRYING:
                assert outcome.retry_in is not None  # noqa: S101 -- what the state means
                pause, run = outcome.retry_in, pending_run(facts, outcome.state, finished_ms, outcome.error)
                stands = await self._redis_retry.call(lambda: self._claims.try_again(job, pause, run))
            case _:
                failed = outcome.state is RunStatus.FAILED
                reason = failed_for_good(job) if failed else None
                stands = await self._end(held, facts, outcome, finished_ms, reason)
        if stands:
            return outcome
        _LOGGER.warning("job_claim_lost", job_id=job.job_id, task=held.call.task)
        return Outcome(state=RunStatus.LOST)

    async def _end(
        self,
        held: InFlightJob,
        facts: RunInfo,
        outcome: Outcome,
        finished_ms: int,
        reason: DeadLetterReason | None,
    ) -> bool:
        """Ends a job for good; for a reason it goes on the list of those that need a person."""
        job, letter = held.job, NO_DEAD_LETTER
        encoded = encoded_result(
            job, held.call, finished_ms=finished_ms, result=outcome.result, error=outcome.error
        )
        run = pending_run(facts, outcome.state, finished_ms)
        if reason is not None and outcome.error is not None:
            letter = DeadLetterNote.of(job, held.call.task, reason, outcome.error)
            _LOGGER.error("task_needs_a_person", job_id=job.job_id, task=held.call.task, reason=reason.value)
        return await self._redis_retry.call(lambda: self._claims.end(job, encoded, run, dead_letter=letter))


def _end_of(outcome: Outcome, finished_ms: int) -> RunFinished:
    return RunFinished(
        state=outcome.state, finished_at=instant(finished_ms), result=outcome.result, error=outcome.error
    )


def _forget_cancellation() -> None:
    """What ended the task's work must not end what is written down of it."""
    work = asyncio.current_task()
    while work is not None and work.cancelling():
        work.uncancel()
