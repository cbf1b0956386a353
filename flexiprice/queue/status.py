"""What became of a job, told from what arq and our record keep of it in Redis."""

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
from flexiprice.queue.source import UNKNOWN_ORIGIN, JobSource
from flexiprice.settings import Queue


class JobStatus(StrEnum):
    """Where a job is on its way."""

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
    """Why a job failed, safe to show to whoever asks."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobInfo:
    """What is known of a job.

    Attributes:
        job_id: by which it is asked for.
        task: the task's name; None where Redis has forgotten it.
        queue: where it waits or waited.
        status: where it is on its way.
        ready: it has ended, one way or the other.
        result: what the task returned, as plain mappings, lists and values.
        error: why it failed or was revoked.
        progress: how far its latest try has come, where it says so.
        origin: what had it enqueued.
        worker_id: the worker that runs it.
        due_at: when it may be started; None once it has been.
        enqueued_at: when it was enqueued.
        started_at: when its latest try began.
        finished_at: when it ended.
        attempt: the number of its latest try, from 1; 0 before the first.
    """

    job_id: str
    task: str | None
    queue: Queue | None
    status: JobStatus
    ready: bool
    result: object = None
    error: JobError | None = None
    progress: Progress | None = None
    origin: JobSource = UNKNOWN_ORIGIN
    worker_id: str | None = None
    due_at: datetime | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot:
    """Everything that Redis holds about one job at one moment, as it was read.

    Attributes:
        result: arq's result, once there is one.
        waiting: the job's definition is there, so that it can still be started.
        owner: the worker that has taken it, if any.
        tries: how often it was started.
        record: our own record of it.
        due_at_ms: when it is due, by queue; in the queue until it has ended.
        now_ms: by the clock of Redis.
    """

    result: bytes | None
    waiting: bool
    owner: str | None
    tries: int
    record: Mapping[str, str]
    due_at_ms: Mapping[Queue, float]
    now_ms: int


def read_status(job_id: str, traces: JobSnapshot) -> JobInfo | None:
    """Tells a job's status from its traces; None where there are none."""
    if traces.result is not None:
        return _ended(job_id, traces, traces.result)
    if traces.owner is None and not traces.due_at_ms:
        return None
    queue, due_at_ms = next(iter(traces.due_at_ms.items()), (None, 0.0))
    # One that has parts waits for them, or is about to learn how they ended.
    has_begun = traces.owner is not None or "parts" in traces.record
    error = None
    if not traces.waiting:
        # Its time has run out; the next worker that looks at it will say so too.
        status, error = JobStatus.FAILED, _EXPIRED
    elif has_begun:
        status = JobStatus.RUNNING
    elif traces.tries:
        status = JobStatus.RETRYING
    else:
        later = due_at_ms > traces.now_ms + _CLOCKS_DIFFER_MS
        status = JobStatus.DEFERRED if later else JobStatus.QUEUED
    return JobInfo(
        job_id=job_id,
        task=traces.record.get("task"),
        queue=queue or _queue(traces.record.get("queue")),
        status=status,
        ready=status in READY,
        error=error,
        progress=read_progress(traces.record),
        origin=JobSource.of_record(traces.record),
        worker_id=traces.owner,
        due_at=None if has_begun else find_instant(due_at_ms),
        enqueued_at=find_instant(traces.record.get("enqueued")),
        started_at=find_instant(traces.record.get("started")),
        # The worker counts its try a moment after it has taken the job.
        attempt=max(traces.tries, 1 if has_begun else 0),
    )


def _ended(job_id: str, traces: JobSnapshot, encoded: bytes) -> JobInfo:
    record = traces.record
    known: dict[str, Any] = {
        "job_id": job_id,
        "task": record.get("task"),
        "queue": _queue(record.get("queue")),
        "ready": True,
        "progress": read_progress(record),
        "origin": JobSource.of_record(record),
        "enqueued_at": find_instant(record.get("enqueued")),
        "started_at": find_instant(record.get("started")),
    }
    try:
        result: JobResult = deserialize_result(encoded, deserializer=codec.decode)
        # arq believes whatever it reads.
        shape: tuple[object, ...] = (result.function, result.queue_name, result.job_try or 0)
        if not all(map(isinstance, shape, (str, str, int))):
            raise DeserializationError("a result of another shape")  # noqa: TRY301 -- as arq would say it
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
            # arq writes a start and a first try for what it never started.
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
    """What may be told of an exception: ours as they are, of others only what they are called."""
    match error:
        case RemoteError(kind=kind, remote_code=code):
            return _unexpected(kind) if code == RemoteError.code else JobError(code, error.message)
        case FlexiPriceError():
            return JobError(error.code, error.message)
        case asyncio.CancelledError():
            return JobError(JobRevoked.code, "the job was called off")
        case TimeoutError():
            return JobError(TimeLimitExceeded.code, "the task ran longer than it may")
        case _:
            return _arq_error(error)


def _arq_error(error: object) -> JobError:
    if isinstance(error, DeserializationError):
        return _CORRUPT
    # arq tells its own failures apart by these texts alone.
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


# A plain arq client writes when a job is due by its own clock, rounded up.
_CLOCKS_DIFFER_MS: Final = 5
_EXPIRED: Final = JobError(JobExpired.code, "no worker started the job in the time that it was given")
_CORRUPT: Final = JobError(CorruptMessage.code, "what Redis holds of the job cannot be read")


def _queue(name: str | None) -> Queue | None:
    return Queue(name) if name in set(Queue) else None
