"""Derives the status of a job from arq's keys and our record in Redis."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from flexiprice.errors import (
    CorruptMessage,
    FlexiPriceError,
    JobExpired,
    JobRevoked,
    RemoteError,
    TimeLimitExceeded,
)
from flexiprice.queue.arq import DeserializationError, JobExecutionFailed, JobResult, deserialize_result
from flexiprice.queue.progress import Progress, read_progress
from flexiprice.queue.redis import codec
from flexiprice.queue.redis.keys import find_instant
from flexiprice.queue.source import UNKNOWN_SOURCE, JobSource
from flexiprice.settings import Queue


class JobStatus(StrEnum):
    """The status of a job."""

    DEFERRED = "deferred"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REVOKED = "revoked"


READY: Final = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.REVOKED})


@dataclass(frozen=True, slots=True)
class JobError:
    """The error of a job, safe to show to any client."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInfo:
    """The status of a job with its facts.

    Attributes:
        job_id: the job's id.
        task: the task's name; None if Redis no longer has it.
        queue: the queue of the job.
        status: the status.
        ready: whether the job has finished.
        result: the task's return value, as plain mappings, lists and values.
        error: the error of a failed or revoked job.
        progress: the progress of the latest attempt, if reported.
        source: the source of the job.
        worker_id: the worker that runs it.
        due_at: when it may start; None once it has.
        enqueued_at: when it was enqueued.
        started_at: when its latest attempt started.
        finished_at: when it finished.
        attempt: number of its latest attempt, from 1; 0 before the first.
    """

    job_id: str
    task: str | None
    queue: Queue | None
    status: JobStatus
    ready: bool
    result: object = None
    error: JobError | None = None
    progress: Progress | None = None
    source: JobSource = UNKNOWN_SOURCE
    worker_id: str | None = None
    due_at: datetime | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot:
    """The raw data of a job in Redis at one moment.

    Attributes:
        result: arq's result; None before the end.
        waiting: whether the job's definition exists, so that it can start.
        owner: the worker that has claimed it, if any.
        tries: number of starts.
        record: the job's record.
        due_at_ms: due time by queue; the job stays in its queue until it has finished.
        now_ms: the time of Redis.
    """

    result: bytes | None
    waiting: bool
    owner: str | None
    tries: int
    record: Mapping[str, str]
    due_at_ms: Mapping[Queue, float]
    now_ms: int


def read_status(job_id: str, snapshot: JobSnapshot) -> JobInfo | None:
    """Derives the status of a job; None if Redis has no data of it."""
    if snapshot.result is not None:
        return _finished_info(job_id, snapshot, snapshot.result)
    if snapshot.owner is None and not snapshot.due_at_ms:
        return None
    queue, due_at_ms = next(iter(snapshot.due_at_ms.items()), (None, 0.0))
    # A job with children waits for them, or resumes soon.
    has_started = snapshot.owner is not None or "children" in snapshot.record
    error = None
    if not snapshot.waiting:
        # It has expired; the next worker that claims it will fail it.
        status, error = JobStatus.FAILED, _EXPIRED
    elif has_started:
        status = JobStatus.RUNNING
    elif snapshot.tries:
        status = JobStatus.RETRYING
    else:
        later = due_at_ms > snapshot.now_ms + _CLOCKS_DIFFER_MS
        status = JobStatus.DEFERRED if later else JobStatus.QUEUED
    return JobInfo(
        job_id=job_id,
        task=snapshot.record.get("task"),
        queue=queue or _queue(snapshot.record.get("queue")),
        status=status,
        ready=status in READY,
        error=error,
        progress=read_progress(snapshot.record),
        source=JobSource.of_record(snapshot.record),
        worker_id=snapshot.owner,
        due_at=None if has_started else find_instant(due_at_ms),
        enqueued_at=find_instant(snapshot.record.get("enqueued")),
        started_at=find_instant(snapshot.record.get("started")),
        # The worker counts the attempt shortly after the claim.
        attempt=max(snapshot.tries, 1 if has_started else 0),
    )


def _finished_info(job_id: str, snapshot: JobSnapshot, encoded: bytes) -> JobInfo:
    record = snapshot.record
    known: dict[str, Any] = {
        "job_id": job_id,
        "task": record.get("task"),
        "queue": _queue(record.get("queue")),
        "ready": True,
        "progress": read_progress(record),
        "source": JobSource.of_record(record),
        "enqueued_at": find_instant(record.get("enqueued")),
        "started_at": find_instant(record.get("started")),
    }
    try:
        result: JobResult = deserialize_result(encoded, deserializer=codec.decode)
        # arq does not check types.
        types: tuple[object, ...] = (result.function, result.queue_name, result.job_try or 0)
        if not all(map(isinstance, types, (str, str, int))):
            raise DeserializationError("the fields of the result have wrong types")  # noqa: TRY301 -- as arq raises it
    except DeserializationError:
        return JobInfo(**known, status=JobStatus.FAILED, error=_CORRUPT)
    known["finished_at"] = result.finish_time
    if result.success:
        outcome: dict[str, Any] = {"status": JobStatus.SUCCEEDED, "result": result.result}
    else:
        error = describe_error(result.result)
        revoked = error.code == JobRevoked.code
        outcome = {"status": JobStatus.REVOKED if revoked else JobStatus.FAILED, "error": error}
        if error == _EXPIRED or not result.job_try:
            # arq writes a start and a first attempt for jobs that never started.
            return JobInfo(**known, **outcome)
    return JobInfo(
        **{
            **known,
            "task": known["task"] or result.function,
            "queue": known["queue"] or _queue(result.queue_name.rpartition(":")[2]),
            "enqueued_at": known["enqueued_at"] or result.enqueue_time,
            "started_at": known["started_at"] or result.start_time,
        },
        **outcome,
        attempt=result.job_try,
    )


def describe_error(error: object) -> JobError:
    """Describes an exception for clients: ours with message, others only by type."""
    match error:
        case RemoteError(kind=kind, remote_code=code):
            return _unexpected(kind) if code == RemoteError.code else JobError(code, error.message)
        case FlexiPriceError():
            return JobError(error.code, error.message)
        case asyncio.CancelledError():
            return JobError(JobRevoked.code, "the job was revoked")
        case TimeoutError():
            return JobError(TimeLimitExceeded.code, "the task exceeded its time limit")
        case _:
            return _arq_error(error)


def _arq_error(error: object) -> JobError:
    if isinstance(error, DeserializationError):
        return _CORRUPT
    # arq distinguishes its own failures only by these texts.
    message = str(error) if isinstance(error, JobExecutionFailed) else ""
    if message == "job expired":
        return _EXPIRED
    if message.startswith("function ") and message.endswith(" not found"):
        return JobError("unknown_task", message)
    if message.endswith(" retries exceeded"):
        return JobError("retries_exceeded", message)
    return _unexpected(type(error).__name__)


def _unexpected(kind: str) -> JobError:
    return JobError(RemoteError.code, f"the task failed unexpectedly ({kind}); the worker's log says more")


# A plain arq client writes the due time by its own clock, rounded up.
_CLOCKS_DIFFER_MS: Final = 5
_EXPIRED: Final = JobError(JobExpired.code, "no worker started the job before it expired")
_CORRUPT: Final = JobError(CorruptMessage.code, "the job's data in Redis cannot be read")


def _queue(name: str | None) -> Queue | None:
    return Queue(name) if name in set(Queue) else None
