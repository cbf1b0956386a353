"""What the overview's charts show, made once for all who look: pure."""

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
    """Lines over the steps of the window.

    Attributes:
        at: start of each step, the oldest first.
        values: of each line, at each step; None where nothing is known.
    """

    at: Sequence[datetime]
    values: Sequence[Sequence[float | None]]


def spread(bounds: Sequence[timedelta], classes: Sequence[int]) -> tuple[list[str], list[int]]:
    """The names of a histogram's classes that hold runs, and of one on either side; and the runs in each.

    With its neighbours, a class that holds all runs is a bar on a scale rather than a chart full of it.

    Args:
        bounds: where the classes end.
        classes: runs in each: one more than there are bounds.
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
    """Runs per second by how they stand, by when they began; in the order of `OUTCOMES`."""

    def of(statuses: Sequence[RunStatus]) -> Callable[[TrendBucket], float | None]:
        return lambda bucket: round(
            sum(bucket.by_status[each] for each in statuses) / STEP.total_seconds(), 1
        )

    return _of_trend(now, [of(statuses) for _, statuses in OUTCOMES])


@lru_cache(maxsize=2)
def run_times(now: Snapshot) -> Series:
    """The seconds that half, and 95%, of the runs took at most, by when they began."""
    return _of_trend(now, [lambda bucket: _seconds(bucket.p50), lambda bucket: _seconds(bucket.p95)])


@lru_cache(maxsize=2)
def depths(now: Snapshot) -> Series:
    """Jobs that wait in each queue."""
    return _of_points(now, lambda point, queue: point.waiting.get(queue))


@lru_cache(maxsize=2)
def ages(now: Snapshot) -> Series:
    """Seconds for which the first job of each queue has been due."""
    return _of_points(now, lambda point, queue: _seconds(point.oldest.get(queue)))


def _of_trend(now: Snapshot, lines: Sequence[Callable[[TrendBucket], float | None]]) -> Series:
    trend = now.history.trend if now.history else ()
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
