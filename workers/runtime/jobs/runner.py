"""Processes one claimed job: runs its task once, and releases it with the outcome."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from flexiprice.domain.run import RunStatus
from flexiprice.errors import InvalidInput
from flexiprice.queue.arq import JobExecutionFailed
from flexiprice.queue.declarations import TaskArguments
from flexiprice.queue.redis.keys import instant_of, whole_number
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.queue.worker.claims import JobClaims
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason, failed_for_good
from flexiprice.queue.worker.outcomes import Failed, Outcome, Requeued, Revoked, Succeeded
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.resources import Resources
from flexiprice.telemetry import get_logger
from workers.runtime.context import WorkerContext
from workers.runtime.jobs.dead_letters import move_to_dead_letters
from workers.runtime.jobs.execution import CANCELLED, Interrupted, run_task
from workers.runtime.jobs.progress import reporting
from workers.runtime.jobs.task import Task, TaskContext
from workers.runtime.recording.run_events import RunFinished

_LOGGER = get_logger(__name__)
# The reaper of another worker requeues the job.
_LOST: Final = Interrupted(RunStatus.LOST)


@dataclass(slots=True)
class InFlightJob:
    """A claimed job that is not yet released."""

    job: ClaimedJob
    # The reason for which it was cancelled.
    cancel_reason: RunStatus | None = None
    work: asyncio.Task[None] | None = None
    # Only the task body may be cancelled, not the release.
    running_body: bool = False

    def cancel(self, reason: RunStatus) -> None:
        """Cancels the job. The first reason is kept."""
        if self.cancel_reason is not None:
            return
        self.cancel_reason = reason
        if self.running_body and self.work is not None:
            self.work.cancel()

    def outcome_of_cancellation(self) -> Revoked | Requeued | Interrupted:
        """Returns the outcome of a cancelled attempt."""
        match self.cancel_reason:
            case RunStatus.REVOKED:
                return Revoked()
            case RunStatus.LOST:
                return _LOST
            case _:
                return Requeued()


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
        job, message = in_flight.job, in_flight.job.message
        if job.body is None:
            _LOGGER.warning("job_expired", job_id=job.job_id, task=message.task)
            await self._reject(job, Failed(JobExecutionFailed("job expired")))
        elif message.error is not None:
            self._metrics.record_quarantined("corrupt_message")
            await self._redis_retry.call(lambda: move_to_dead_letters(self._resources.redis, job))
            await self._reject(job, Failed(message.error, DeadLetterReason.CORRUPT))
        elif (task := self._tasks.get(message.task)) is None:
            await self._requeue_or_reject(job)
        elif in_flight.cancel_reason is RunStatus.REVOKED:
            await self._reject(job, Revoked())
        else:
            await self._attempt(in_flight, task)

    async def _requeue_or_reject(self, job: ClaimedJob) -> None:
        task = job.message.task
        if "task" in job.record:
            # It has waited long enough for a worker that knows the task.
            _LOGGER.warning("task_unknown", job_id=job.job_id, task=task)
            error = JobExecutionFailed(f"function {task!r} not found")
            await self._reject(job, Failed(error, DeadLetterReason.UNKNOWN_TASK))
            return
        # A plain arq client's job: its task was unknown until it was claimed.
        await self._redis_retry.call(lambda: self._claims.name_task(job, task))
        await self._release(job, None, Requeued(), job.now_ms())

    async def _reject(self, job: ClaimedJob, outcome: Failed | Revoked) -> None:
        """Finishes a job without running it. The history records it as attempt 0."""
        run, finished_ms = RunInfo.of(job, started=False), job.now_ms()
        released = await self._release(job, run, outcome, finished_ms)
        if released is not None:
            self._observer.run_rejected(run, _run_finished(released, finished_ms))

    async def _attempt(self, in_flight: InFlightJob, task: Task[TaskArguments]) -> None:
        job, run = in_flight.job, RunInfo.of(in_flight.job)
        self._observer.run_started(run)
        # If Redis stays unavailable, another worker finds the run lost.
        end: Outcome | Interrupted = _LOST
        finished_ms = None
        try:
            outcome = await self._run(in_flight, task)
            finished_ms = job.now_ms()
            if isinstance(outcome, Interrupted):
                end = outcome
                if outcome.error is not None:
                    self._on_fenced()
            elif released := await self._release(job, run, outcome, finished_ms):
                end = released
            else:
                _LOGGER.warning("job_claim_lost", job_id=job.job_id, task=run.task)
        finally:
            self._observer.run_ended(run, _run_finished(end, finished_ms or job.now_ms()))

    async def _run(self, in_flight: InFlightJob, task: Task[TaskArguments]) -> Outcome | Interrupted:
        """Runs the task once, unless the job was cancelled before."""
        message = in_flight.job.message
        outcome: Outcome | Interrupted = CANCELLED
        if message.unnamed:
            names, given = ", ".join(task.declaration.arguments.model_fields) or "none", len(message.unnamed)
            text = f"{message.task}: {given} positional arguments; send each by name, of: {names}"
            outcome = Failed(InvalidInput(text))
        elif in_flight.cancel_reason is None:
            outcome = await self._run_body(in_flight, task)
        if isinstance(outcome, Failed):
            return Failed(outcome.error, failed_for_good(in_flight.job))
        return in_flight.outcome_of_cancellation() if outcome is CANCELLED else outcome

    async def _run_body(self, in_flight: InFlightJob, task: Task[TaskArguments]) -> Outcome | Interrupted:
        job, message = in_flight.job, in_flight.job.message
        async with reporting(
            self._resources.redis, job_id=job.job_id, worker_id=self._worker_id, clock=self._clock
        ) as progress:
            run = TaskContext(
                job_id=job.job_id,
                enqueued_at=instant_of(message.enqueued_ms),
                worker_id=self._worker_id,
                attempt=message.attempt,
                resources=self._resources,
                progress=progress,
                children=whole_number(job.record.get("children")),
            )
            in_flight.running_body = True
            outcome = await run_task(task, run, message.arguments, record=job.record)
            in_flight.running_body = False
            self._database_gate.observe(outcome.error)
            _reset_cancellation()
            return outcome

    async def _release(
        self, job: ClaimedJob, run: RunInfo | None, outcome: Outcome, finished_ms: int
    ) -> Outcome | None:
        """Releases the claim in Redis. Returns None if the worker no longer held it."""
        released = await self._redis_retry.call(
            lambda: self._claims.release(job, run, outcome, finished_ms=finished_ms)
        )
        facts = {"job_id": job.job_id, "task": job.message.task}
        if isinstance(released, Failed):
            if released is not outcome:
                _LOGGER.error("task_failed", error=str(released.error), **facts)
            if released.dead_letter is not None:
                _LOGGER.error("task_needs_a_person", reason=released.dead_letter.value, **facts)
        return released


def _run_finished(end: Outcome | Interrupted, finished_ms: int) -> RunFinished:
    return RunFinished(
        status=end.status,
        finished_at=instant_of(finished_ms),
        result=end.result if isinstance(end, Succeeded) else None,
        error=end.error,
    )


def _reset_cancellation() -> None:
    """Resets the cancellation of the task, so that the release is not cancelled."""
    work = asyncio.current_task()
    while work is not None and work.cancelling():
        work.uncancel()
