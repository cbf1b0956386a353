"""Encodes the result of a claimed job and its outbox record."""

from typing import Any

from flexiprice.domain.run import RunStatus
from flexiprice.queue.arq import serialize_result, to_unix_ms
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.queue.worker.run_outbox import PendingRun
from flexiprice.settings import Queue


def encoded_result(
    job: ClaimedJob,
    *,
    finished_ms: int,
    result: object = None,
    error: BaseException | None = None,
) -> bytes | None:
    """Encodes a job's result as arq stores it: the value, or the error."""
    message, queue_name = job.message, keys.queue_key(job.queue)
    arguments: dict[str, Any] = dict(message.arguments)
    return serialize_result(
        message.task,
        message.unnamed,
        arguments,
        message.attempt,
        message.enqueued_ms,
        error is None,
        result if error is None else error,
        job.started_ms,
        finished_ms,
        job.job_id,
        queue_name,
        job.job_id,
        serializer=codec.encoder_like(job.body),
    )


def pending_run(
    facts: RunInfo, state: RunStatus, finished_ms: int, error: BaseException | None = None
) -> PendingRun:
    """Returns the outbox record of a finished run."""
    return PendingRun(
        run_id=facts.run_id,
        task=facts.task,
        job_id=facts.job_id,
        queue=Queue(facts.queue),
        attempt=facts.attempt,
        state=state,
        enqueued_ms=to_unix_ms(facts.enqueued_at),
        due_ms=to_unix_ms(facts.due_at),
        started_ms=to_unix_ms(facts.started_at),
        finished_ms=finished_ms,
        error=error,
    )
