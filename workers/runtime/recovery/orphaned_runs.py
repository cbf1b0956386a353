"""Records the final status of runs whose worker died before it could."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.clock import database_now
from flexiprice.db.engine import database_errors
from flexiprice.errors import DatabaseUnavailable, RemoteError
from flexiprice.queue.arq import (
    ArqRedis,
    DeserializationError,
    JobResult,
    deserialize_job,
    deserialize_result,
    to_unix_ms,
)
from flexiprice.queue.redaction import redact_text
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.exception_codec import TRACEBACK_NOTE
from flexiprice.queue.snapshot import decode_text
from flexiprice.queue.source import JobSource
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.queue.worker.run_outbox import PendingRun, RunOutbox
from flexiprice.runs.recording import RunRecord, find_workers_of_running, mark_runs_lost
from flexiprice.telemetry import get_logger
from workers.runtime.recording.run_events import RunFinished
from workers.runtime.recording.run_record import record_of, write_records
from workers.runtime.recovery.heartbeat import WorkerIdMailbox
from workers.runtime.redis_retry import REDIS_UNAVAILABLE

_LOGGER = get_logger(__name__)
# Few enough to build records without blocking the event loop.
_BATCH_SIZE: Final = 100
# If the recorder dies, another worker may take over after this long.
_LOCK_TTL: Final = timedelta(seconds=10)
_QUERY_TIMEOUT_SECONDS: Final = 20.0
_RETRY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class _JobData:
    """The data of a run's job that Redis still has: result, or arguments, and the job's record."""

    result: JobResult | None
    arguments: Mapping[str, Any]
    record: Mapping[str, str]


class OrphanedRunRecorder:
    """Records the orphaned runs of dead workers in the run history."""

    def __init__(
        self,
        redis: ArqRedis,
        sessions: async_sessionmaker[AsyncSession],
        outbox_workers: WorkerIdMailbox,
        *,
        worker_id: str,
        clock: Callable[[], datetime],
    ) -> None:
        """Connects the outbox with the database.

        Args:
            redis: has the outbox.
            sessions: sessions for writing.
            outbox_workers: ids of workers whose outbox is to be recorded.
            worker_id: the recording worker.
            clock: returns the time of Redis.
        """
        self._redis = redis
        self._sessions = sessions
        self._outbox = RunOutbox(redis)
        self._outbox_workers = outbox_workers
        self._worker_id = worker_id
        self._clock = clock
        self._is_postponed = False

    async def main(self) -> None:
        """Records orphaned runs until it is cancelled."""
        orphans_adopted = False
        while True:
            try:
                if not orphans_adopted:
                    await self._adopt_orphans()
                    orphans_adopted = True
                for worker_id in await self._outbox_workers.get():
                    await self._record_runs_of(worker_id)
            except (DatabaseUnavailable, DBAPIError, OSError, TimeoutError) as error:
                # Unrecorded workers stay on the list, which the next heartbeat brings again.
                self._log_postponed(error)
                await asyncio.sleep(_RETRY_SECONDS)
            except REDIS_UNAVAILABLE as error:
                _LOGGER.debug("orphaned_runs_postponed", error=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def _adopt_orphans(self) -> None:
        """Adds workers to the list that have running runs in the history but are unknown to Redis."""
        async with asyncio.timeout(_QUERY_TIMEOUT_SECONDS):
            with database_errors():
                async with self._sessions.begin() as session:
                    worker_ids = await find_workers_of_running(session)
        await self._outbox.adopt(worker_ids, now_ms=to_unix_ms(self._clock()))

    async def _record_runs_of(self, worker_id: str) -> None:
        lock = keys.recording_key(worker_id)
        if not await self._redis.set(lock, self._worker_id, nx=True, px=_LOCK_TTL):
            return
        try:
            recorded = 0
            while True:
                runs, unreadable = await self._outbox.peek(worker_id, at_most=_BATCH_SIZE)
                if not runs and not unreadable:
                    break
                for run_id in unreadable:
                    _LOGGER.error("orphaned_run_unreadable", run_id=repr(run_id), of_worker=worker_id)
                await self._write(worker_id, runs)
                await self._outbox.acknowledge(worker_id, [*(run.run_id for run in runs), *unreadable])
                await self._redis.pexpire(lock, _LOCK_TTL)
                recorded += len(runs)
            lost = await self._mark_lost(worker_id)
            await self._outbox.close(worker_id)
        finally:
            await self._redis.delete(lock)
        self._is_postponed = False
        if recorded or lost:
            _LOGGER.info("orphaned_runs_recorded", of_worker=worker_id, recorded=recorded, lost=lost)

    async def _write(self, worker_id: str, runs: Sequence[PendingRun]) -> None:
        for start in range(0, len(runs), _BATCH_SIZE):
            batch = runs[start : start + _BATCH_SIZE]
            jobs = await self._read_jobs(batch)
            records = [_record(run, worker_id, jobs[run.job_id]) for run in batch]
            await write_records(self._sessions, [record for record in records if record is not None])

    async def _mark_lost(self, worker_id: str) -> int:
        """Marks the remaining runs of a dead worker as lost. A live worker records its own."""
        if await self._redis.zscore(keys.WORKERS, worker_id) is not None:
            return 0
        async with asyncio.timeout(_QUERY_TIMEOUT_SECONDS):
            with database_errors():
                async with self._sessions.begin() as session:
                    now = await database_now(session)
                    return await mark_runs_lost(session, worker_id, now=now)

    async def _read_jobs(self, runs: Sequence[PendingRun]) -> dict[str, _JobData]:
        job_ids = list(dict.fromkeys(run.job_id for run in runs))
        async with self._redis.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.get(keys.result_key(job_id))
                pipe.get(keys.job_key(job_id))
                pipe.hgetall(keys.record_key(job_id))
            answers = await pipe.execute()
        parts = zip(answers[::3], answers[1::3], answers[2::3], strict=True)
        return {job_id: _job_data(*part) for job_id, part in zip(job_ids, parts, strict=True)}

    def _log_postponed(self, error: Exception) -> None:
        if not self._is_postponed:
            self._is_postponed = True
            _LOGGER.warning("orphaned_runs_postponed", error=str(error))


def _job_data(result: bytes | None, body: bytes | None, record: Mapping[bytes, bytes]) -> _JobData:
    stored: JobResult | None = None
    arguments: Mapping[str, Any] = {}
    with suppress(DeserializationError):
        if result is not None:
            stored = deserialize_result(result, deserializer=codec.decode)
            arguments = stored.kwargs
        elif body is not None:
            arguments = deserialize_job(body, deserializer=codec.decode).kwargs
    return _JobData(
        stored, arguments, {decode_text(name): decode_text(value) for name, value in record.items()}
    )


def _record(run: PendingRun, worker_id: str, job: _JobData) -> RunRecord | None:
    try:
        return _record_of(run, worker_id, job)
    except Exception:
        # It can never be recorded, and must not block the others.
        _LOGGER.exception("run_not_recorded", job_id=run.job_id, task=run.task)
        return None


def _record_of(run: PendingRun, worker_id: str, job: _JobData) -> RunRecord:
    facts = RunInfo(
        run_id=run.run_id,
        task=run.task,
        job_id=run.job_id,
        queue=run.queue.value,
        worker_id=worker_id,
        attempt=run.attempt,
        arguments=job.arguments,
        source=JobSource.of_record(job.record),
        enqueued_at=keys.instant_of(run.enqueued_ms),
        due_at=keys.instant_of(run.due_ms),
        started_at=keys.instant_of(run.started_ms),
    )
    result, error = None, run.error
    # The result may belong to a later run.
    if job.result is not None and to_unix_ms(job.result.start_time) == run.started_ms and error is None:
        if job.result.success:
            result = job.result.result
        elif isinstance(job.result.result, BaseException):
            error = job.result.result
    end = RunFinished(
        status=run.status, finished_at=keys.instant_of(run.finished_ms), result=result, error=error
    )
    traceback = None if error is None else _traceback(error)
    return replace(record_of(facts, end), traceback=None if traceback is None else redact_text(traceback))


def _traceback(error: BaseException) -> str | None:
    """Returns the traceback that was sent with an exception; None if it was never raised."""
    if isinstance(error, RemoteError):
        return error.traceback
    notes: Sequence[str] = getattr(error, "__notes__", ())
    tracebacks = [note.removeprefix(TRACEBACK_NOTE) for note in notes if note.startswith(TRACEBACK_NOTE)]
    return tracebacks[0] if tracebacks and tracebacks[0].startswith("Traceback") else None
