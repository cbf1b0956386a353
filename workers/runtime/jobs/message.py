"""Decodes a claimed job's message, and encodes its result and outbox record."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from flexiprice.domain.run import RunStatus
from flexiprice.queue.arq import DeserializationError, deserialize_job_raw, serialize_result, to_unix_ms
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.source import JobSource
from flexiprice.queue.worker.claimed_job import ClaimedJob
from flexiprice.queue.worker.run_outbox import PendingRun
from flexiprice.settings import Queue
from workers.runtime.recording.run_events import RunInfo, run_id_of


@dataclass(frozen=True, slots=True, kw_only=True)
class JobMessage:
    """The decoded message of a job: its task and arguments.

    Attributes:
        task: the task's name.
        arguments: the arguments by name.
        unnamed: positional arguments, which no declared task accepts.
        attempt: number of this attempt, from 1.
        enqueued_ms: when the job was enqueued, by the producer's clock; part of the job's identity.
    """

    task: str
    arguments: Mapping[str, object]
    unnamed: tuple[object, ...] = ()
    attempt: int = 1
    enqueued_ms: int = 0


def read_call(job: ClaimedJob) -> JobMessage:
    """Decodes the message of a job.

    Raises:
        arq.jobs.DeserializationError: the bytes are not a valid job.
    """
    function, unnamed, arguments, first_try, enqueued_ms = deserialize_job_raw(
        job.body or b"", deserializer=codec.decode
    )
    # arq does not check types.
    shape: tuple[object, ...] = (function, arguments, enqueued_ms)
    if not all(map(isinstance, shape, (str, dict, int))):
        raise DeserializationError("the fields of the job have wrong types")
    return JobMessage(
        task=function,
        arguments=arguments,
        unnamed=tuple(unnamed),
        attempt=max(job.tries, first_try or 1),
        enqueued_ms=enqueued_ms,
    )


def parse_leniently(job: ClaimedJob) -> JobMessage:
    """Decodes the message of a job; falls back to the job's record if it is unreadable."""
    try:
        return read_call(job)
    except DeserializationError:
        task = job.record.get("task", "<unknown>")
        return JobMessage(task=task, arguments={}, attempt=job.tries, enqueued_ms=_enqueued_ms(job, 0))


def encoded_result(
    job: ClaimedJob,
    call: JobMessage,
    *,
    finished_ms: int,
    result: object = None,
    error: BaseException | None = None,
) -> bytes | None:
    """Encodes a job's result as arq stores it: the value, or the error."""
    queue_name = keys.queue_key(job.queue)
    arguments: dict[str, Any] = dict(call.arguments)
    return serialize_result(
        call.task,
        call.unnamed,
        arguments,
        call.attempt,
        call.enqueued_ms,
        error is None,
        result if error is None else error,
        job.started_ms,
        finished_ms,
        job.job_id,
        queue_name,
        job.job_id,
        serializer=codec.encoder_like(job.body),
    )


def run_info(job: ClaimedJob, call: JobMessage) -> RunInfo:
    """Returns the run that starts with a claim."""
    return RunInfo(
        run_id=run_id_of(worker_id=job.worker_id, job_id=job.job_id, started_ms=job.started_ms),
        task=call.task,
        job_id=job.job_id,
        queue=job.queue.value,
        worker_id=job.worker_id,
        attempt=call.attempt,
        arguments=call.arguments,
        origin=JobSource.of_record(job.record),
        enqueued_at=instant(_enqueued_ms(job, call.enqueued_ms)),
        due_at=instant(job.due_ms),
        started_at=instant(job.started_ms),
    )


def unstarted_run(job: ClaimedJob, call: JobMessage) -> RunInfo:
    """Returns the record of a rejected job: attempt 0, because its task never started."""
    return replace(run_info(job, call), attempt=0)


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


def instant(milliseconds: int) -> datetime:
    """Converts arq's milliseconds to an aware instant."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def _enqueued_ms(job: ClaimedJob, default_ms: int) -> int:
    return to_unix_ms(keys.find_instant(job.record.get("enqueued")) or keys.instant_of(default_ms))
