"""Events of runs, for observers that count, measure or record runs.

Observers are called on the event loop. They must be quick and must not fail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID, uuid5

from flexiprice.domain.run import RunStatus
from flexiprice.queue.source import JobSource

_RUN_IDS: Final = UUID("5f0f6dd4-6a8e-4dc4-a6a1-1f6f0e3f9a51")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The facts of a run that are known from its start.

    Attributes:
        run_id: derived from worker, job and start, so that every worker computes the same id.
        task: the task's name.
        job_id: the job.
        queue: the queue of the job.
        worker_id: the worker that runs it.
        attempt: number of the attempt, from 1; lost and requeued runs do not count. 0 if the job was
            rejected without running.
        arguments: the arguments by name, neither masked nor bounded.
        origin: the source of the job.
        enqueued_at: when the job was enqueued, by the clock of Redis.
        due_at: when the job was due.
        started_at: when the run started, by the clock of Redis.
    """

    run_id: UUID
    task: str
    job_id: str
    queue: str
    worker_id: str
    attempt: int
    arguments: Mapping[str, object]
    origin: JobSource
    enqueued_at: datetime
    due_at: datetime
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """The end of a run.

    Attributes:
        status: the final status; never `running`.
        finished_at: the start plus the duration that the process has measured.
        result: the return value of a successful task, neither masked nor bounded.
        error: the error of a failed one.
    """

    status: RunStatus
    finished_at: datetime
    result: object = None
    error: BaseException | None = None


class RunObserver(Protocol):
    """Receives the events of runs."""

    def run_started(self, run: RunInfo) -> None:
        """A run has started on this worker."""

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:
        """A run on this worker has ended."""

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:
        """A job was rejected without running: expired, unreadable, unknown or revoked."""

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """A run of a dead worker was found. That worker may have recorded it already."""


def run_id_of(*, worker_id: str, job_id: str, started_ms: int) -> UUID:
    """Computes the id of a run from its worker, job and start."""
    return uuid5(_RUN_IDS, f"{worker_id}\n{job_id}\n{started_ms}")


class CompositeObserver:
    """Passes events to several observers in order."""

    def __init__(self, observers: Sequence[RunObserver]) -> None:
        self._observers = tuple(observers)

    def run_started(self, run: RunInfo) -> None:
        """Passes the event on."""
        for observer in self._observers:
            observer.run_started(run)

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:
        """Passes the event on."""
        for observer in self._observers:
            observer.run_ended(run, end)

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:
        """Passes the event on."""
        for observer in self._observers:
            observer.run_rejected(run, end)

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """Passes the event on."""
        for observer in self._observers:
            observer.run_lost(run, end)
