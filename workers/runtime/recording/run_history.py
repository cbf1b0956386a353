"""Every run in PostgreSQL: told on the event loop, written soon after, and kept while PostgreSQL is away."""

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
from flexiprice.queue.redis.cancellation import cancelled
from flexiprice.queue.worker.run_outbox import RunOutbox
from flexiprice.runs.recording import RunRecord
from flexiprice.telemetry import get_logger
from workers.runtime.recording.run_events import RunFinished, RunInfo
from workers.runtime.recording.run_record import record_of, write_records
from workers.runtime.redis_retry import REDIS_UNAVAILABLE

_LOGGER = get_logger(__name__)
# Runs that begin and end within so short a time are written once, and many runs by one statement.
_GATHER_SECONDS: Final = 0.05
_RUNS_PER_STATEMENT: Final = 500
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 5.0
# For writing what is left when the process ends.
_LAST_SECONDS: Final = 3.0
# An hour of five runs a second while PostgreSQL is away; some tens of megabytes.
MAX_KEPT: Final = 20_000
"""Records that are kept at most until they can be written."""


class RunHistory:
    """Records runs, without ever holding one up or letting one fail.

    What is told of one run before it is written becomes one record; the end of a run says all that its
    start said. Writing the same twice does no harm, so a record is only forgotten when it is certain that
    it was written; only then is the note taken away that Redis has of its end, by which others would
    write it if this process died before.
    """

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        metrics: Metrics,
        *,
        untold: RunOutbox | None = None,
        max_kept: int = MAX_KEPT,
    ) -> None:
        """Prepares it.

        Args:
            sessions: for the writing; they must go on when the worker counts as lost.
            metrics: is told of records that had to be given up.
            untold: what Redis notes of ends that are not written yet; None where it notes none.
            max_kept: how many records are kept while they cannot be written; then the oldest are given up.
        """
        self._sessions = sessions
        self._metrics = metrics
        self._untold = untold
        self._max_kept = max_kept
        self._kept: dict[UUID, RunRecord] = {}
        self._told = asyncio.Event()
        self._away = False
        self._overflows = False
        self._writing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to write, on the running loop."""
        self._writing = asyncio.create_task(self._write_on(), name="run history")

    async def aclose(self) -> None:
        """Writes what is left, if that can be done soon."""
        if self._writing is not None:
            await cancelled(self._writing)
        await self.write_now()
        if not self._kept:
            return
        if self._untold is not None:
            _LOGGER.warning("run_records_left_in_outbox", runs=len(self._kept))
            return
        _LOGGER.error("run_records_lost", runs=len(self._kept))
        self._metrics.record_dropped_records(len(self._kept))

    async def write_now(self) -> None:
        """Writes what is there, if that can be done soon."""
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                while self._kept:
                    await self._write_some()

    def run_started(self, run: RunInfo) -> None:
        """Records that a run begins."""
        self._keep(run, None)

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:
        """Records how a run of this worker ended."""
        self._keep(run, end)

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:
        """Records that a job ended without being started."""
        self._keep(run, end)

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """Records that the worker of a run is gone, where nothing better is known."""
        known = self._kept.get(run.run_id)
        if known is None or known.state is RunStatus.RUNNING:
            self._keep(run, end)

    def _keep(self, run: RunInfo, end: RunFinished | None) -> None:
        try:
            record = record_of(run, end)
        except Exception:
            _LOGGER.exception("run_not_recorded", job_id=run.job_id, task=run.task)
            self._metrics.record_dropped_records()
            return
        self._kept[run.run_id] = record
        if len(self._kept) > self._max_kept:
            self._give_up_oldest()
        self._told.set()

    def _give_up_oldest(self) -> None:
        oldest = self._kept.pop(next(iter(self._kept)))
        if oldest.state is RunStatus.RUNNING:
            # Its end is still to come and says the same.
            return
        self._metrics.record_dropped_records()
        if not self._overflows:
            self._overflows = True
            _LOGGER.error("run_records_dropped", kept=self._max_kept)

    async def _write_on(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await self._told.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._told.clear()
            try:
                await self._write_some()
            except DatabaseUnavailable as error:
                self._told.set()
                self._note_away(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Exception:
                # Nobody else writes: what is wrong with this one must not end all others.
                self._told.set()
                _LOGGER.exception("run_history_failed", kept=len(self._kept))
                await asyncio.sleep(_LONGEST_PAUSE)
            else:
                pause = _FIRST_PAUSE
                self._note_back()

    async def _write_some(self) -> None:
        """Writes what is kept, in full statements; what came too late to fill one waits for more."""
        full = True
        while full and self._kept:
            batch = list(islice(self._kept.values(), _RUNS_PER_STATEMENT))
            if refused := await write_records(self._sessions, batch):
                self._metrics.record_dropped_records(refused)
            for record in batch:
                # More may have been told of it meanwhile.
                if self._kept.get(record.run_id) is record:
                    del self._kept[record.run_id]
            await self._note_told(batch)
            full = len(batch) == _RUNS_PER_STATEMENT

    async def _note_told(self, records: Sequence[RunRecord]) -> None:
        if self._untold is None:
            return
        ended: dict[str, list[UUID]] = {}
        for record in records:
            if record.state is not RunStatus.RUNNING:
                ended.setdefault(record.worker_id, []).append(record.run_id)
        # What stays noted is written once more by whoever follows this worker, to no effect.
        with suppress(*REDIS_UNAVAILABLE, RedisError):
            for worker_id, run_ids in ended.items():
                await self._untold.acknowledge(worker_id, run_ids)

    def _note_away(self, error: Exception) -> None:
        if not self._away:
            self._away = True
            _LOGGER.warning("run_recording_postponed", error=str(error))

    def _note_back(self) -> None:
        if self._away:
            self._away = self._overflows = False
            _LOGGER.info("run_recording_resumed")
