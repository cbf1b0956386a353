"""Processes one claimed job: runs its task once and acknowledges the outcome."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flexiprice.domain.run import RunStatus
from flexiprice.errors import InvalidInput
from flexiprice.queue.arq import JobExecutionFailed
from flexiprice.queue.declarations import TaskArguments
from flexiprice.queue.redis.keys import instant_of, whole_number
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.queue.worker.claims import JobClaims
from flexiprice.queue.worker.dead_letter_records import (
    NO_DEAD_LETTER,
    DeadLetterNote,
    DeadLetterReason,
    failed_for_good,
)
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.resources import Resources
from flexiprice.telemetry import get_logger
from workers.runtime.context import WorkerContext
from workers.runtime.jobs.dead_letters import move_to_dead_letters
from workers.runtime.jobs.execution import CANCELLED, Outcome, run_task
from workers.runtime.jobs.message import (
    encoded_result,
    pending_run,
)
from workers.runtime.jobs.progress import reporting
from workers.runtime.jobs.task import Task, TaskContext
from workers.runtime.recording.run_events import RunFinished

_LOGGER = get_logger(__name__)


@dataclass(slots=True)
class InFlightJob:
    """A claimed job that is not yet released."""

    job: ClaimedJob
    # The reason for which it was cancelled.
    ending: RunStatus | None = None
    work: asyncio.Task[None] | None = None
    # Only the task body may be cancelled, not the acknowledgement.
    running_body: bool = False

    def cancel(self, reason: RunStatus) -> None:
        """Cancels the job. The first reason is kept."""
        if self.ending is not None:
            return
        self.ending = reason
        if self.running_body and self.work is not None:
            self.work.cancel()


class JobRunner:
    """Processes the jobs of one consumer."""

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
        """Binds the tasks to the resources of a worker.

        Args:
            tasks: the known tasks by name.
            context: the resources of the worker process.
            resources: the resources for tasks; their database sessions carry the worker's id.
            claims: releases jobs.
            worker_id: the worker that holds the claims.
            on_fenced: called when a task finds that the worker's lease has expired.
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

    async def process_job(self, in_flight: InFlightJob) -> None:
        """Runs or rejects a job, and releases its claim."""
        job = in_flight.job
        if job.body is None:
            _LOGGER.warning("job_expired", job_id=job.job_id, task=job.message.task)
            await self._reject(in_flight, JobExecutionFailed("job expired"))
            return
        if job.message.error is not None:
            self._metrics.record_quarantined("corrupt_message")
            await self._redis_retry.call(lambda: move_to_dead_letters(self._resources.redis, job))
            await self._reject(in_flight, job.message.error, DeadLetterReason.CORRUPT)
            return
        task = self._tasks.get(job.message.task)
        if task is None:
            await self._requeue_or_reject(in_flight)
        elif in_flight.ending is RunStatus.REVOKED:
            await self._reject(in_flight, asyncio.CancelledError())
        else:
            await self._attempt(in_flight, task)

    async def _requeue_or_reject(self, in_flight: InFlightJob) -> None:
        job, task = in_flight.job, in_flight.job.message.task
        if "task" in job.record:
            # It has waited long enough for a worker that knows the task.
            _LOGGER.warning("task_unknown", job_id=job.job_id, task=task)
            error = JobExecutionFailed(f"function {task!r} not found")
            await self._reject(in_flight, error, DeadLetterReason.UNKNOWN_TASK)
            return
        # A plain arq client's job: its task was unknown until it was claimed.
        await self._redis_retry.call(lambda: self._claims.name_task(job, task))
        await self._redis_retry.call(lambda: self._claims.give_back(job, None))

    async def _reject(
        self, in_flight: InFlightJob, error: BaseException, reason: DeadLetterReason | None = None
    ) -> None:
        """Finishes a job without running it. The history records it as attempt 0."""
        facts = RunInfo.of(in_flight.job, started=False)
        revoked = isinstance(error, asyncio.CancelledError)
        outcome = Outcome(state=RunStatus.REVOKED if revoked else RunStatus.FAILED, error=error)
        finished_ms = in_flight.job.now_ms()
        if await self._end(in_flight, facts, outcome, finished_ms, reason):
            self._observer.run_rejected(facts, _run_finished(outcome, finished_ms))

    async def _attempt(self, in_flight: InFlightJob, task: Task[TaskArguments]) -> None:
        facts = RunInfo.of(in_flight.job)
        self._observer.run_started(facts)
        outcome, finished_ms = Outcome(state=RunStatus.LOST), None
        try:
            attempt_outcome = await self._outcome(in_flight, task)
            finished_ms = in_flight.job.now_ms()
            outcome = await self._acknowledge(in_flight, facts, attempt_outcome, finished_ms)
        finally:
            # If Redis stays unavailable, another worker finds the run lost.
            self._observer.run_ended(facts, _run_finished(outcome, finished_ms or in_flight.job.now_ms()))

    async def _outcome(self, in_flight: InFlightJob, task: Task[TaskArguments]) -> Outcome:
        job, message = in_flight.job, in_flight.job.message
        if message.unnamed:
            names = ", ".join(task.declaration.arguments.model_fields) or "none"
            given = len(message.unnamed)
            error = InvalidInput(
                f"{message.task}: {given} positional arguments; send each by name, of: {names}"
            )
            return Outcome(state=RunStatus.FAILED, error=error)
        redis = self._resources.redis
        async with reporting(
            redis, job_id=job.job_id, worker_id=self._worker_id, clock=self._clock
        ) as progress:
            run = TaskContext(
                job_id=job.job_id,
                enqueued_at=instant_of(message.enqueued_ms),
                worker_id=self._worker_id,
                attempt=message.attempt,
                resources=self._resources,
                progress=progress,
                parts=whole_number(job.record.get("parts")),
            )
            outcome = CANCELLED
            if in_flight.ending is None:
                in_flight.running_body = True
                outcome = await run_task(task, run, message.arguments, record=job.record)
                in_flight.running_body = False
                self._database_gate.observe(outcome.error)
                _reset_cancellation()
        if outcome is not CANCELLED or in_flight.ending is None:
            return outcome
        is_revoked = in_flight.ending is RunStatus.REVOKED
        return Outcome(state=in_flight.ending, error=asyncio.CancelledError() if is_revoked else None)

    async def _acknowledge(
        self, in_flight: InFlightJob, facts: RunInfo, outcome: Outcome, finished_ms: int
    ) -> Outcome:
        """Releases the claim in Redis. Returns the outcome, or LOST if the claim was no longer ours."""
        job = in_flight.job
        match outcome.state:
            case RunStatus.LOST:
                # The reaper of another worker requeues the job.
                if outcome.error is not None:
                    self._on_fenced()
                return outcome
            case RunStatus.RELEASED if outcome.awaits_children:
                run = pending_run(facts, outcome.state, finished_ms)
                is_ours = await self._redis_retry.call(lambda: self._claims.wait_for_children(job, run))
            case RunStatus.RELEASED:
                run = pending_run(facts, outcome.state, finished_ms)
                is_ours = await self._redis_retry.call(lambda: self._claims.give_back(job, run))
            case RunStatus.RETRYING:
                assert outcome.retry_in is not None  # noqa: S101 -- required by the status
                pause, run = outcome.retry_in, pending_run(facts, outcome.state, finished_ms, outcome.error)
                is_ours = await self._redis_retry.call(lambda: self._claims.try_again(job, pause, run))
            case _:
                failed = outcome.state is RunStatus.FAILED
                reason = failed_for_good(job) if failed else None
                is_ours = await self._end(in_flight, facts, outcome, finished_ms, reason)
        if is_ours:
            return outcome
        _LOGGER.warning("job_claim_lost", job_id=job.job_id, task=job.message.task)
        return Outcome(state=RunStatus.LOST)

    async def _end(
        self,
        in_flight: InFlightJob,
        facts: RunInfo,
        outcome: Outcome,
        finished_ms: int,
        reason: DeadLetterReason | None,
    ) -> bool:
        """Finishes a job. With a reason it also becomes a dead letter."""
        job, letter = in_flight.job, NO_DEAD_LETTER
        encoded = encoded_result(job, finished_ms=finished_ms, result=outcome.result, error=outcome.error)
        run = pending_run(facts, outcome.state, finished_ms)
        if reason is not None and outcome.error is not None:
            letter = DeadLetterNote.of(job, job.message.task, reason, outcome.error)
            _LOGGER.error(
                "task_needs_a_person", job_id=job.job_id, task=job.message.task, reason=reason.value
            )
        return await self._redis_retry.call(lambda: self._claims.end(job, encoded, run, dead_letter=letter))


def _run_finished(outcome: Outcome, finished_ms: int) -> RunFinished:
    return RunFinished(
        status=outcome.state, finished_at=instant_of(finished_ms), result=outcome.result, error=outcome.error
    )


def _reset_cancellation() -> None:
    """Resets the cancellation of the task, so that the acknowledgement is not cancelled."""
    work = asyncio.current_task()
    while work is not None and work.cancelling():
        work.uncancel()
