"""Translates the outcome of a run for the release script: its mode, the job's result and the run record."""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final

from flexiprice.errors import InvalidInput
from flexiprice.queue.arq import to_unix_ms
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.queue.worker.dead_letter_records import (
    NO_DEAD_LETTER,
    DeadLetterNote,
    DeadLetterReason,
    failed_for_good,
)
from flexiprice.queue.worker.losses import Loss
from flexiprice.queue.worker.outcomes import (
    AwaitsChildren,
    Failed,
    FinalOutcome,
    GivenUp,
    Lost,
    Outcome,
    Requeued,
    Retrying,
    Revoked,
    Succeeded,
)
from flexiprice.queue.worker.results import encode_result
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.queue.worker.run_outbox import PendingRun
from flexiprice.settings import Queue

# The last child job makes its parent due. This delay is a safety net for children that vanished.
_CHILDREN_CHECK_DELAY: Final = timedelta(seconds=30)


class ReleaseMode(StrEnum):
    """The mode of the release script."""

    FINISH = "finish"
    RETRY = "retry"
    REQUEUE = "requeue"
    SUSPEND = "suspend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The arguments of the release script that depend on the outcome.

    Attributes:
        outcome: the outcome; a failure if the task's return value cannot be stored.
        mode: the mode.
        delay: time until a retried or suspended job is due.
        result: the result of a finished job as arq encodes it.
        dead_letter: makes the job a dead letter.
        loss: kind of loss of the job's worker, if the reaper releases the job.
    """

    outcome: Outcome
    mode: ReleaseMode
    delay: timedelta = timedelta(0)
    result: bytes = b""
    dead_letter: DeadLetterNote = NO_DEAD_LETTER
    loss: Loss | None = None

    @staticmethod
    def of(job: ClaimedJob, outcome: Outcome, *, finished_ms: int) -> "Release":
        """Returns the release of a job after an outcome."""
        match outcome:
            case Retrying(delay=delay):
                return Release(outcome=outcome, mode=ReleaseMode.RETRY, delay=delay)
            case Requeued():
                return Release(outcome=outcome, mode=ReleaseMode.REQUEUE)
            case Lost(loss=loss):
                return Release(outcome=outcome, mode=ReleaseMode.REQUEUE, loss=loss)
            case AwaitsChildren():
                return Release(outcome=outcome, mode=ReleaseMode.SUSPEND, delay=_CHILDREN_CHECK_DELAY)
            case Succeeded() | Failed() | Revoked() | GivenUp():
                return _finish(job, outcome, finished_ms)


def pending_run(run: RunInfo, outcome: Outcome, *, finished_ms: int) -> PendingRun:
    """Returns the outbox record of a finished run."""
    return PendingRun(
        run_id=run.run_id,
        task=run.task,
        job_id=run.job_id,
        queue=Queue(run.queue),
        attempt=run.attempt,
        status=outcome.status,
        enqueued_ms=to_unix_ms(run.enqueued_at),
        due_ms=to_unix_ms(run.due_at),
        started_ms=to_unix_ms(run.started_at),
        finished_ms=finished_ms,
        # That of a finished job is in its result.
        error=None if isinstance(outcome, FinalOutcome) else outcome.error,
    )


def _finish(job: ClaimedJob, outcome: FinalOutcome, finished_ms: int) -> Release:
    try:
        result = _encoded_result(job, outcome, finished_ms)
    except InvalidInput as error:
        outcome = _not_storable(job, outcome, error)
        result = _encoded_result(job, outcome, finished_ms)
    return Release(
        outcome=outcome,
        mode=ReleaseMode.FINISH,
        result=result,
        dead_letter=_dead_letter(job, outcome),
        loss=outcome.loss if isinstance(outcome, GivenUp) else None,
    )


def _encoded_result(job: ClaimedJob, outcome: FinalOutcome, finished_ms: int) -> bytes:
    return encode_result(
        job.message,
        outcome,
        job_id=job.job_id,
        queue=job.queue,
        body=job.body,
        started_ms=job.started_ms,
        finished_ms=finished_ms,
    )


def _not_storable(job: ClaimedJob, outcome: FinalOutcome, error: InvalidInput) -> FinalOutcome:
    if isinstance(outcome, Succeeded):
        reason = InvalidInput(f"the task's return value cannot be stored: {error.message}")
        return Failed(reason, failed_for_good(job))
    reason = InvalidInput(f"the job failed, and its error cannot be stored: {error.message}")
    return replace(outcome, error=reason)


def _dead_letter(job: ClaimedJob, outcome: FinalOutcome) -> DeadLetterNote:
    match outcome:
        case Failed(error=error, dead_letter=DeadLetterReason() as reason):
            return DeadLetterNote.of(job, reason, error)
        case GivenUp(error=error):
            # The loss for which it is given up is not in its record yet.
            return DeadLetterNote.of(job, DeadLetterReason.GIVEN_UP, error, losses=job.losses + 1)
        case _:
            return NO_DEAD_LETTER
