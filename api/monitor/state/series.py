"""Computes the time series of charts from a snapshot, once for all pages; pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from api.monitor.state.recent import STEP, WINDOW
from api.monitor.state.snapshot import QueuePoint, Snapshot, step_of
from flexiprice.domain.run import RunStatus
from flexiprice.runs.timeseries import TrendBucket
from flexiprice.settings import Queue

OUTCOMES: Final = (
    ("succeeded", (RunStatus.SUCCEEDED,)),
    ("failed", (RunStatus.FAILED, RunStatus.LOST)),
    ("tried again", (RunStatus.RETRYING, RunStatus.RELEASED)),
    ("revoked", (RunStatus.REVOKED,)),
    ("running", (RunStatus.RUNNING,)),
)


@dataclass(frozen=True, slots=True)
class Series:
    """The lines of a chart.

    Attributes:
        at: start of each step, the oldest first.
        values: for each line, its value at each step; None if unknown.
    """

    at: Sequence[datetime]
    values: Sequence[Sequence[float | None]]


def histogram_bars(bounds: Sequence[timedelta], classes: Sequence[int]) -> tuple[list[str], list[int]]:
    """Returns labels and counts of a histogram's bars: the classes that hold runs, and one on either side.

    With neighbors, a single class is a bar on a scale and does not fill the chart.

    Args:
        bounds: upper bounds of the classes.
        classes: runs in each class; one more than there are bounds.
    """
    filled = [number for number, runs in enumerate(classes) if runs] or [0]
    shown = slice(max(filled[0] - 1, 0), filled[-1] + 2)
    names = [*(f"< {_short(bound)}" for bound in bounds), f"≥ {_short(bounds[-1])}"]
    return names[shown], list(classes[shown])


def _short(bound: timedelta) -> str:
    seconds = bound.total_seconds()
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.0f} s"


@lru_cache(maxsize=2)
def throughput(now: Snapshot) -> Series:
    """Returns the runs that began per second, by outcome, in the order of `OUTCOMES`."""

    def of(statuses: Sequence[RunStatus]) -> Callable[[TrendBucket], float | None]:
        return lambda bucket: round(
            sum(bucket.by_status[each] for each in statuses) / STEP.total_seconds(), 1
        )

    return _of_trend(now, [of(statuses) for _, statuses in OUTCOMES])


@lru_cache(maxsize=2)
def run_times(now: Snapshot) -> Series:
    """Returns median and 95th percentile of the run time, in seconds, by when the runs began."""
    return _of_trend(now, [lambda bucket: _seconds(bucket.p50), lambda bucket: _seconds(bucket.p95)])


@lru_cache(maxsize=2)
def depths(now: Snapshot) -> Series:
    """Returns the number of waiting jobs of each queue."""
    return _of_points(now, lambda point, queue: point.waiting.get(queue))


@lru_cache(maxsize=2)
def ages(now: Snapshot) -> Series:
    """Returns the age of the oldest due job of each queue, in seconds."""
    return _of_points(now, lambda point, queue: _seconds(point.oldest.get(queue)))


def _of_trend(now: Snapshot, lines: Sequence[Callable[[TrendBucket], float | None]]) -> Series:
    trend = now.recent.trend if now.recent else ()
    known = {bucket.starts_at: bucket for bucket in trend}
    steps = _steps(now)
    return Series(steps, [[line(known[step]) if step in known else None for step in steps] for line in lines])


def _of_points(now: Snapshot, value: Callable[[QueuePoint, Queue], float | None]) -> Series:
    known = {step_of(point.at): point for point in now.queue_points}
    steps = _steps(now)
    return Series(
        steps, [[value(known[step], queue) if step in known else None for step in steps] for queue in Queue]
    )


def _steps(now: Snapshot) -> list[datetime]:
    last = step_of(now.at)
    return [last - number * STEP for number in reversed(range(WINDOW // STEP))]


def _seconds(length: timedelta | None) -> float | None:
    return None if length is None else round(length.total_seconds(), 3)
