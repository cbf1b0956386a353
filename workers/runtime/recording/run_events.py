"""What is told of every run, to whoever counts, measures or records runs.

An observer is called on the event loop, between a run and what follows it: it must be quick, and it must
not fail.
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
    """A run as it is known from its start on.

    Attributes:
        run_id: the same for whoever tells of this run, its worker or the one that finds it lost.
        task: the task's name.
        job_id: the job that it is an attempt of.
        queue: where the job waited.
        worker_id: who runs it.
        attempt: its number among the job's attempts, from 1; lost and handed back ones do not count. 0
            where the job ended without being started.
        arguments: by name, neither masked nor bounded.
        origin: what had the job enqueued.
        enqueued_at: when that was, by the clock of Redis.
        due_at: when the job was to start.
        started_at: when the run began, by the clock of Redis.
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
    """How a run ended.

    Attributes:
        state: any but `running`.
        finished_at: when: so long after its start as the process that ran it has measured.
        result: what the task returned, where it succeeded; neither masked nor bounded.
        error: why it did not, where it did not.
    """

    state: RunStatus
    finished_at: datetime
    result: object = None
    error: BaseException | None = None


class RunObserver(Protocol):
    """Is told of runs."""

    def run_started(self, run: RunInfo) -> None:
        """A run begins on this worker."""

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:
        """A run that began on this worker has ended."""

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:
        """A job has ended on this worker without being started: expired, unreadable, unknown, revoked."""

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """A run of another worker, which is gone, was found; it may have been told of by that one."""


def run_id_of(*, worker_id: str, job_id: str, started_ms: int) -> UUID:
    """A run's id, which anybody can tell who knows what ran where and since when."""
    return uuid5(_RUN_IDS, f"{worker_id}\n{job_id}\n{started_ms}")


class CompositeObserver:
    """Tells several observers, in their order."""

    def __init__(self, observers: Sequence[RunObserver]) -> None:
        self._observers = tuple(observers)

    def run_started(self, run: RunInfo) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.run_started(run)

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.run_ended(run, end)

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.run_rejected(run, end)

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.run_lost(run, end)
