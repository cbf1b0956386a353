"""Counts a worker process's runs by outcome, and measures its memory and CPU."""

import os
import resource
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from flexiprice.domain.run import RunStatus
from flexiprice.metrics import Metrics
from flexiprice.queue.worker.run_info import RunInfo
from workers.runtime.recording.run_events import RunFinished
from workers.runtime.recycling import Recycling

_STATM: Final = Path("/proc/self/statm")


class CountingObserver:
    """Counts the finished runs of this process."""

    def __init__(self) -> None:
        self._ended = dict.fromkeys(RunStatus, 0)

    @property
    def succeeded(self) -> int:
        """Number of successful runs."""
        return self._ended[RunStatus.SUCCEEDED]

    @property
    def failed(self) -> int:
        """Number of failed and revoked runs."""
        return self._ended[RunStatus.FAILED] + self._ended[RunStatus.REVOKED]

    @property
    def retried(self) -> int:
        """Number of runs that are retried."""
        return self._ended[RunStatus.RETRYING]

    def run_started(self, run: RunInfo) -> None:
        """Ignored."""

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:  # noqa: ARG002
        """Counts the run."""
        self._ended[end.status] += 1

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:  # noqa: ARG002
        """Counts the rejected job like a run."""
        self._ended[end.status] += 1

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """Ignored: it ran on another worker."""


class MetricsObserver:
    """Records every run in the metrics."""

    def __init__(self, metrics: Metrics, tasks: Iterable[str]) -> None:
        self._metrics = metrics
        self._tasks = frozenset(tasks)

    def run_started(self, run: RunInfo) -> None:
        """Records the waiting time."""
        self._metrics.record_start(run.task, waited=run.started_at - run.due_at)

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:
        """Records the duration."""
        self._metrics.record_end(run.task, status=end.status.value, ran=end.finished_at - run.started_at)

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:
        """Counts the rejected job; it has no meaningful times."""
        # The name of an unknown task is input, so it must not become a label.
        if run.task in self._tasks:
            self._metrics.record_refusal(run.task, status=end.status.value)

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """Ignored: it ran on another worker."""


class RecyclingObserver:
    """Counts runs for recycling."""

    def __init__(self, recycling: Recycling) -> None:
        self._recycling = recycling

    def run_started(self, run: RunInfo) -> None:
        """Ignored."""

    def run_ended(self, run: RunInfo, end: RunFinished) -> None:  # noqa: ARG002
        """Counts the run, whatever its outcome."""
        self._recycling.count()

    def run_rejected(self, run: RunInfo, end: RunFinished) -> None:
        """Ignored: nothing was run."""

    def run_lost(self, run: RunInfo, end: RunFinished) -> None:
        """Ignored: it ran on another worker."""


class ProcessStats:
    """Measures the CPU and memory of this process."""

    def __init__(self) -> None:
        self._measured_at = time.monotonic()
        self._cpu_seconds = time.process_time()

    def cpu(self) -> float:
        """Returns the CPU time since the last call, as a fraction of one core."""
        now, used = time.monotonic(), time.process_time()
        share = (used - self._cpu_seconds) / max(now - self._measured_at, 1e-3)
        self._measured_at, self._cpu_seconds = now, used
        return round(share, 4)

    def memory_bytes(self) -> int:
        """Returns the resident memory, or its peak where only that is available."""
        try:
            return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        except (OSError, ValueError, IndexError):
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak if sys.platform == "darwin" else peak * 1024
