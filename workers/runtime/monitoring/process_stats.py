"""What a worker's process counts and measures of itself: runs by how they ended, memory, processor."""

import os
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from flexiprice.domain.run import RunStatus
from flexiprice.metrics import Metrics
from workers.runtime.recording.run_events import RunFinished, RunInfo
from workers.runtime.recycling import Recycling

_STATM: Final = Path("/proc/self/statm")


class CountingObserver:
    """Counts the runs that have ended here."""

    def __init__(self) -> None:
        self._ended = dict.fromkeys(RunStatus, 0)

    @property
    def succeeded(self) -> int:
        """Runs that have succeeded."""
        return self._ended[RunStatus.SUCCEEDED]

    @property
    def failed(self) -> int:
        """Runs that have failed or were called off."""
        return self._ended[RunStatus.FAILED] + self._ended[RunStatus.REVOKED]

    @property
    def retried(self) -> int:
        """Runs whose jobs are tried again."""
        return self._ended[RunStatus.RETRYING]

    def run_started(self, run: RunInfo) -> None:
        """Of no interest here."""

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:  # noqa: ARG002
        """Counts it."""
        self._ended[end.state] += 1

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:  # noqa: ARG002
        """Counts it like a run that failed at once."""
        self._ended[end.state] += 1

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """Not one of ours."""


class MetricsObserver:
    """Tells the metrics of every run."""

    def __init__(self, metrics: Metrics, tasks: Iterable[str]) -> None:
        self._metrics = metrics
        self._tasks = frozenset(tasks)

    def run_started(self, run: RunInfo) -> None:
        """Measures its wait."""
        self._metrics.record_start(run.task, waited=run.started_at - run.due_at)

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:
        """Measures its time."""
        self._metrics.record_end(run.task, status=end.state.value, ran=end.finished_at - run.started_at)

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:
        """Counts it; it has waited and run for no time that would mean anything."""
        # Of a task that nobody knows, the name came from outside.
        if run.task in self._tasks:
            self._metrics.record_refusal(run.task, status=end.state.value)

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """Its worker's numbers are gone with it."""


class RecyclingObserver:
    """Counts runs towards the process's share."""

    def __init__(self, recycling: Recycling) -> None:
        self._recycling = recycling

    def run_started(self, run: RunInfo) -> None:
        """Of no interest here."""

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:  # noqa: ARG002
        """Counts it, however it ended."""
        self._recycling.count()

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:
        """Nothing was run that could leave anything behind in the process."""

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """Not one of ours."""


class ProcessStats:
    """Measures what this process uses."""

    def __init__(self) -> None:
        self._measured_at = time.monotonic()
        self._processor_seconds = time.process_time()

    def cpu(self) -> float:
        """Processor time since the last call, as a part of one core."""
        now, used = time.monotonic(), time.process_time()
        share = (used - self._processor_seconds) / max(now - self._measured_at, 1e-3)
        self._measured_at, self._processor_seconds = now, used
        return round(share, 4)

    def memory_bytes(self) -> int:
        """The resident memory; its peak where the system tells only that."""
        try:
            return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        except (OSError, ValueError, IndexError):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak if sys.platform == "darwin" else peak * 1024
