"""What workers that are gone could not tell the history any more, told by one that lives."""

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
from flexiprice.queue.snapshot import text
from flexiprice.queue.source import JobSource
from flexiprice.queue.worker.run_outbox import PendingRun, RunOutbox
from flexiprice.runs.recording import RunRecord, find_workers_of_running, mark_runs_lost
from flexiprice.telemetry import get_logger
from workers.runtime.jobs.message import instant
from workers.runtime.recording.run_events import RunFinished, RunInfo
from workers.runtime.recording.run_record import record_of, write_records
from workers.runtime.recovery.heartbeat import WorkerIdMailbox
from workers.runtime.redis_retry import REDIS_UNAVAILABLE

_LOGGER = get_logger(__name__)
# Few enough that the event loop is not held up by making records of them.
_RUNS_AT_ONCE: Final = 100
# Whoever tells and dies is followed by another so much later.
_TURN: Final = timedelta(seconds=10)
_ASK_SECONDS: Final = 20.0
_TRY_AGAIN_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class _Left:
    """What Redis still has of the job of a run: its result, or what it calls, and our record of it."""

    result: JobResult | None
    arguments: Mapping[str, Any]
    record: Mapping[str, str]


class OrphanedRunRecorder:
    """Writes into the history how the runs of workers ended that are gone."""

    def __init__(
        self,
        redis: ArqRedis,
        sessions: async_sessionmaker[AsyncSession],
        outbox_workers: WorkerIdMailbox,
        *,
        worker_id: str,
        clock: Callable[[], datetime],
    ) -> None:
        """Prepares it.

        Args:
            redis: where the runs are noted.
            sessions: for the writing.
            outbox_workers: of whom it is told.
            worker_id: who writes.
            clock: tells the time of Redis.
        """
        self._redis = redis
        self._sessions = sessions
        self._outbox = RunOutbox(redis)
        self._untold_workers = outbox_workers
        self._worker_id = worker_id
        self._clock = clock
        self._put_off = False

    async def main(self) -> None:
        """Writes until it is cancelled."""
        orphans_sought = False
        while True:
            try:
                if not orphans_sought:
                    await self._seek_orphans()
                    orphans_sought = True
                for worker_id in await self._untold_workers.next():
                    await self._tell_of(worker_id)
            except (DatabaseUnavailable, DBAPIError, OSError, TimeoutError) as error:
                # Whoever is not told of stays on the list, of which the next heartbeat tells.
                self._note_away(error)
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
            except REDIS_UNAVAILABLE as error:
                _LOGGER.debug("orphaned_runs_postponed", error=str(error))
                await asyncio.sleep(_TRY_AGAIN_SECONDS)

    async def _seek_orphans(self) -> None:
        """Puts workers on the list that the history takes for running, and of whom Redis knows nothing."""
        async with asyncio.timeout(_ASK_SECONDS):
            with database_errors():
                async with self._sessions.begin() as session:
                    worker_ids = await find_workers_of_running(session)
        await self._outbox.adopt(worker_ids, now_ms=to_unix_ms(self._clock()))

    async def _tell_of(self, worker_id: str) -> None:
        turn = keys.telling_key(worker_id)
        if not await self._redis.set(turn, self._worker_id, nx=True, px=_TURN):
            return
        try:
            told = 0
            while True:
                runs, unreadable = await self._outbox.peek(worker_id, at_most=_RUNS_AT_ONCE)
                if not runs and not unreadable:
                    break
                for run_id in unreadable:
                    _LOGGER.error("orphaned_run_unreadable", run_id=repr(run_id), of_worker=worker_id)
                await self._write(worker_id, runs)
                await self._outbox.acknowledge(worker_id, [*(run.run_id for run in runs), *unreadable])
                await self._redis.pexpire(turn, _TURN)
                told += len(runs)
            lost = await self._end_the_rest(worker_id)
            await self._outbox.close(worker_id)
        finally:
            await self._redis.delete(turn)
        self._put_off = False
        if told or lost:
            _LOGGER.info("orphaned_runs_recorded", of_worker=worker_id, recorded=told, lost=lost)

    async def _write(self, worker_id: str, runs: Sequence[PendingRun]) -> None:
        for start in range(0, len(runs), _RUNS_AT_ONCE):
            some = runs[start : start + _RUNS_AT_ONCE]
            left = await self._left_of(some)
            records = [_record(run, worker_id, left[run.job_id]) for run in some]
            await write_records(self._sessions, [record for record in records if record is not None])

    async def _end_the_rest(self, worker_id: str) -> int:
        """Ends the runs of which Redis says nothing; what their worker tells yet, if it lives, stands."""
        if await self._redis.zscore(keys.WORKERS, worker_id) is not None:
            return 0
        async with asyncio.timeout(_ASK_SECONDS):
            with database_errors():
                async with self._sessions.begin() as session:
                    now = await database_now(session)
                    return await mark_runs_lost(session, worker_id, now=now)

    async def _left_of(self, runs: Sequence[PendingRun]) -> dict[str, _Left]:
        job_ids = list(dict.fromkeys(run.job_id for run in runs))
        async with self._redis.pipeline(transaction=False) as pipe:
            for job_id in job_ids:
                pipe.get(keys.result_key(job_id))
                pipe.get(keys.job_key(job_id))
                pipe.hgetall(keys.record_key(job_id))
            answers = await pipe.execute()
        parts = zip(answers[::3], answers[1::3], answers[2::3], strict=True)
        return {job_id: _left(*part) for job_id, part in zip(job_ids, parts, strict=True)}

    def _note_away(self, error: Exception) -> None:
        if not self._put_off:
            self._put_off = True
            _LOGGER.warning("orphaned_runs_postponed", error=str(error))


def _left(result: bytes | None, body: bytes | None, record: Mapping[bytes, bytes]) -> _Left:
    ended: JobResult | None = None
    arguments: Mapping[str, Any] = {}
    with suppress(DeserializationError):
        if result is not None:
            ended = deserialize_result(result, deserializer=codec.decode)
            arguments = ended.kwargs
        elif body is not None:
            arguments = deserialize_job(body, deserializer=codec.decode).kwargs
    return _Left(ended, arguments, {text(name): text(value) for name, value in record.items()})


def _record(run: PendingRun, worker_id: str, left: _Left) -> RunRecord | None:
    try:
        return _record_of(run, worker_id, left)
    except Exception:
        # Nobody will ever be able to; the others are not to wait for it.
        _LOGGER.exception("run_not_recorded", job_id=run.job_id, task=run.task)
        return None


def _record_of(run: PendingRun, worker_id: str, left: _Left) -> RunRecord:
    facts = RunInfo(
        run_id=run.run_id,
        task=run.task,
        job_id=run.job_id,
        queue=run.queue.value,
        worker_id=worker_id,
        attempt=run.attempt,
        arguments=left.arguments,
        origin=JobSource.of_record(left.record),
        enqueued_at=instant(run.enqueued_ms),
        due_at=instant(run.due_ms),
        started_at=instant(run.started_ms),
    )
    result, error = None, run.error
    # The result may be a later run's by now.
    if left.result is not None and to_unix_ms(left.result.start_time) == run.started_ms and error is None:
        if left.result.success:
            result = left.result.result
        elif isinstance(left.result.result, BaseException):
            error = left.result.result
    end = RunFinished(state=run.state, finished_at=instant(run.finished_ms), result=result, error=error)
    traceback = None if error is None else _traceback(error)
    return replace(record_of(facts, end), traceback=None if traceback is None else redact_text(traceback))


def _traceback(error: BaseException) -> str | None:
    """What was sent of where an exception came from; None where it was never raised."""
    if isinstance(error, RemoteError):
        return error.traceback
    notes: Sequence[str] = getattr(error, "__notes__", ())
    sent = [note.removeprefix(TRACEBACK_NOTE) for note in notes if note.startswith(TRACEBACK_NOTE)]
    return sent[0] if sent and sent[0].startswith("Traceback") else None
