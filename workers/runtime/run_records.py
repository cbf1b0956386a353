"""What is recorded of a run: bounded, and without secrets."""

import traceback
from typing import Final

from flexiprice.domain.run import RunState
from flexiprice.jobs.masking import masked, masked_result, masked_text
from flexiprice.jobs.status import describe_error
from flexiprice.services.run_recording import MAX_TRACEBACK_LENGTH, RunRecord
from workers.runtime.run_events import RunEnd, RunFacts

# Looking for secrets in a text without end would take without end.
_SEARCHED: Final = 2 * MAX_TRACEBACK_LENGTH


def record_of(run: RunFacts, end: RunEnd | None) -> RunRecord:
    """The record of a run as it stands; it runs where `end` is None."""
    error = None if end is None or end.error is None else describe_error(end.error)
    return RunRecord(
        run_id=run.run_id,
        task=run.task,
        job_id=run.job_id,
        worker_id=run.worker_id,
        attempt=run.attempt,
        state=RunState.RUNNING if end is None else end.state,
        started_at=run.started_at,
        queue=run.queue,
        trigger=run.origin.trigger,
        parent_job_id=run.origin.parent_job_id,
        request_id=run.origin.request_id,
        arguments=masked(run.arguments) if run.arguments else {},
        enqueued_at=run.enqueued_at,
        due_at=run.due_at if run.due_at > run.enqueued_at else None,
        # The start is by another clock.
        finished_at=None if end is None else max(end.finished_at, run.started_at),
        result=None if end is None else masked_result(end.result),
        error_code=None if error is None else error.code,
        error_message=None if error is None else masked_text(error.message),
        traceback=None if end is None or end.error is None else _traceback(end.error),
    )


def _traceback(error: BaseException) -> str | None:
    if error.__traceback__ is None:
        # It was never raised; it only says what happened.
        return None
    text = "".join(traceback.format_exception(error))
    if len(text) > _SEARCHED:
        # Without the line that is cut, which might end with half a secret.
        text = text[-_SEARCHED:].partition("\n")[2]
    return masked_text(text)
