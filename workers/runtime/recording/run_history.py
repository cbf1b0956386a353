"""Writes every run to PostgreSQL in the background, and buffers runs while PostgreSQL is unavailable."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Final
from uuid import UUID

from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.domain.run import RunStatus
from flexiprice.errors import DatabaseUnavailable
from flexiprice.metrics import Metrics
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.queue.worker.run_outbox import RunOutbox
from flexiprice.runs.recording import RunRecord
from flexiprice.telemetry import get_logger
from workers.runtime.recording.run_events import RunFinished
from workers.runtime.recording.run_record import record_of, write_records
from workers.runtime.redis_retry import REDIS_UNAVAILABLE

_LOGGER = get_logger(__name__)
# Runs that start and end within this time are written once. One statement writes many runs.
_BATCHING_SECONDS: Final = 0.05
_RUNS_PER_STATEMENT: Final = 500
_INITIAL_BACKOFF_SECONDS: Final = 0.25
_MAX_BACKOFF_SECONDS: Final = 5.0
# Time to write the buffer when the process ends.
_CLOSE_TIMEOUT_SECONDS: Final = 3.0
# About an hour of five runs a second; some tens of megabytes.
MAX_KEPT: Final = 20_000
"""Maximum number of buffered records."""


class RunHistory:
    """Records runs without delaying them or making them fail.

    Events of one run that arrive before the write become one record; the end of a run contains the facts of
    its start. Writing is idempotent, so a record leaves the buffer only after its write has succeeded. Then
    its entry in the outbox is acknowledged. If this process dies earlier, another worker records the run from
    the outbox.
    """

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        metrics: Metrics,
        *,
        outbox: RunOutbox | None = None,
        max_kept: int = MAX_KEPT,
    ) -> None:
        """Starts with an empty buffer.

        Args:
            sessions: the database sessions; they must work after the worker is declared dead.
            metrics: counts dropped records.
            outbox: the finished runs in Redis that are not written yet; None without an outbox.
            max_kept: maximum number of buffered records; beyond it the oldest are dropped.
        """
        self._sessions = sessions
        self._metrics = metrics
        self._outbox = outbox
        self._max_kept = max_kept
        self._records: dict[UUID, RunRecord] = {}
        self._pending = asyncio.Event()
        self._is_unavailable = False
        self._overflows = False
        self._writing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts writing on the running loop."""
        self._writing = asyncio.create_task(self._write_loop(), name="run history")

    async def aclose(self) -> None:
        """Stops, after writing the buffer if that succeeds soon."""
        if self._writing is not None:
            await cancel_and_wait(self._writing)
        await self.write_now()
        if not self._records:
            return
        if self._outbox is not None:
            _LOGGER.warning("run_records_left_in_outbox", runs=len(self._records))
            return
        _LOGGER.error("run_records_lost", runs=len(self._records))
        self._metrics.record_dropped_records(len(self._records))

    async def write_now(self) -> None:
        """Writes the buffer if that succeeds soon."""
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_SECONDS):
                while self._records:
                    await self._write_some()

    def run_started(self, run: RunInfo) -> None:
        """Records the start of a run."""
        self._keep(run, None)

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:
        """Records the end of a run of this worker."""
        self._keep(run, end)

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:
        """Records a rejected job."""
        self._keep(run, end)

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """Records the run of a dead worker, unless its end is already buffered."""
        known = self._records.get(run.run_id)
        if known is None or known.status is RunStatus.RUNNING:
            self._keep(run, end)

    def _keep(self, run: RunInfo, end: RunFinished | None) -> None:
        try:
            record = record_of(run, end)
        except Exception:
            _LOGGER.exception("run_not_recorded", job_id=run.job_id, task=run.task)
            self._metrics.record_dropped_records()
            return
        self._records[run.run_id] = record
        if len(self._records) > self._max_kept:
            self._drop_oldest()
        self._pending.set()

    def _drop_oldest(self) -> None:
        oldest = self._records.pop(next(iter(self._records)))
        if oldest.status is RunStatus.RUNNING:
            # The record of its end will contain the same facts.
            return
        self._metrics.record_dropped_records()
        if not self._overflows:
            self._overflows = True
            _LOGGER.error("run_records_dropped", kept=self._max_kept)

    async def _write_loop(self) -> None:
        pause = _INITIAL_BACKOFF_SECONDS
        while True:
            await self._pending.wait()
            await asyncio.sleep(_BATCHING_SECONDS)
            self._pending.clear()
            try:
                await self._write_some()
            except DatabaseUnavailable as error:
                self._pending.set()
                self._log_unavailable(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MAX_BACKOFF_SECONDS)
            except Exception:
                # This is the only writer, so one error must not stop it.
                self._pending.set()
                _LOGGER.exception("run_history_failed", kept=len(self._records))
                await asyncio.sleep(_MAX_BACKOFF_SECONDS)
            else:
                pause = _INITIAL_BACKOFF_SECONDS
                self._log_recovered()

    async def _write_some(self) -> None:
        """Writes the buffer in full statements. Later records wait until the next call."""
        full = True
        while full and self._records:
            batch = list(islice(self._records.values(), _RUNS_PER_STATEMENT))
            if refused := await write_records(self._sessions, batch):
                self._metrics.record_dropped_records(refused)
            for record in batch:
                # A newer event may have replaced it.
                if self._records.get(record.run_id) is record:
                    del self._records[record.run_id]
            await self._acknowledge(batch)
            full = len(batch) == _RUNS_PER_STATEMENT

    async def _acknowledge(self, records: Sequence[RunRecord]) -> None:
        if self._outbox is None:
            return
        ended: dict[str, list[UUID]] = {}
        for record in records:
            if record.status is not RunStatus.RUNNING:
                ended.setdefault(record.worker_id, []).append(record.run_id)
        # Unacknowledged entries are written again by another worker, which has no effect.
        with suppress(*REDIS_UNAVAILABLE, RedisError):
            for worker_id, run_ids in ended.items():
                await self._outbox.acknowledge(worker_id, run_ids)

    def _log_unavailable(self, error: Exception) -> None:
        if not self._is_unavailable:
            self._is_unavailable = True
            _LOGGER.warning("run_recording_postponed", error=str(error))

    def _log_recovered(self) -> None:
        if self._is_unavailable:
            self._is_unavailable = self._overflows = False
            _LOGGER.info("run_recording_resumed")
