"""Events of runs, for observers that count, measure or record runs.

Observers are called on the event loop. They must be quick and must not fail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flexiprice.domain.run import RunStatus
from flexiprice.queue.worker.run_info import RunInfo


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
