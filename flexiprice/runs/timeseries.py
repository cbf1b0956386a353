"""Time series and histograms of runs, for charts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    DateTime,
    Double,
    Integer,
    Interval,
    SQLColumnExpression,
    cast,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import TaskRun
from flexiprice.domain.run import RunStatus
from flexiprice.errors import InvalidInput
from flexiprice.runs.durations import FINISHED_STATUSES, QUEUE_TIME, RUN_TIME, not_negative

MAX_BUCKETS: Final = 1_000
"""Upper limit of the buckets of a trend."""
HISTOGRAM_BOUNDS: Final = tuple(
    timedelta(seconds=step * decade)
    for decade in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
    for step in (1, 2, 5)
)
"""Upper bounds of the histogram's classes, from 1 ms to 5,000 s, on a logarithmic scale."""

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendBucket:
    """The runs that began within one step of a window.

    Attributes:
        starts_at: start of the step.
        by_status: number of runs per status; has every status.
        p50: median duration of runs that succeeded or failed; None without any.
        p95: 95th percentile of the same.
    """

    starts_at: datetime
    by_status: Mapping[RunStatus, int]
    p50: timedelta | None
    p95: timedelta | None

    @property
    def runs(self) -> int:
        """Number of all runs in the step."""
        return sum(self.by_status.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHistograms:
    """Histograms of queue times and run times.

    Attributes:
        bounds: upper bounds of the classes; the first class begins at zero, and one more has no upper bound.
        waits: number of runs per class of queue time; has one class more than bounds.
        durations: the same by run time, of runs that succeeded or failed.
    """

    bounds: tuple[timedelta, ...]
    waits: tuple[int, ...]
    durations: tuple[int, ...]


async def get_run_trend(
    session: AsyncSession,
    *,
    since: datetime,
    until: datetime,
    step: timedelta,
    task: str | None = None,
    queue: str | None = None,
) -> tuple[TrendBucket, ...]:
    """Counts the runs that began from `since` until before `until` per step, by one query.

    Args:
        session: in a transaction.
        since: start of the window, rounded down to a step.
        until: end of the window, later than its start.
        step: length of a step; the window may have `MAX_BUCKETS` of them.
        task: limits the result to this task.
        queue: limits the result to this queue.

    Returns:
        Every step in order, those without runs included.

    Raises:
        InvalidInput: the window is empty, or has too many steps.
    """
    _check_window(since, until)
    if step <= timedelta(0) or (until - since) / step > MAX_BUCKETS:
        raise InvalidInput(f"step: the window may have at most {MAX_BUCKETS} steps", field="step")
    first = since.astimezone(UTC) - (since - _EPOCH) % step
    starts_at = func.date_bin(
        literal(step, Interval), TaskRun.started_at, literal(first, DateTime(timezone=True))
    )
    query = (
        select(
            starts_at,
            *(func.count().filter(TaskRun.status == status) for status in RunStatus),
            type_coerce(
                func.percentile_cont(literal([0.5, 0.95], ARRAY(Double)))
                .within_group(not_negative(RUN_TIME))
                .filter(TaskRun.status.in_(FINISHED_STATUSES)),
                ARRAY(Interval),
            ),
        )
        .where(*_within(first, until, task, queue))
        .group_by(starts_at)
    )
    found = {row[0]: row for row in await session.execute(query)}
    return tuple(
        _bucket(moment, found.get(moment))
        for number in range(-((first - until) // step))
        for moment in (first + number * step,)
    )


async def get_run_histograms(
    session: AsyncSession,
    *,
    since: datetime,
    until: datetime,
    task: str | None = None,
    queue: str | None = None,
) -> RunHistograms:
    """Computes histograms of queue times and run times of a window's runs, by one query.

    Raises:
        InvalidInput: the window is empty.
    """
    _check_window(since, until)
    waited = _class_of(QUEUE_TIME)
    took = _class_of(RUN_TIME)
    is_finished = TaskRun.status.in_(FINISHED_STATUSES)
    classes = (
        select(waited.label("waited"), took.label("took"), is_finished.label("is_finished"))
        .where(*_within(since, until, task, queue))
        .subquery()
    )
    # One row per pair of classes that occurs: a few hundred at most, independent of the number of runs.
    query = select(
        classes.c.waited, classes.c.took, func.count(), func.count().filter(classes.c.is_finished)
    ).group_by(classes.c.waited, classes.c.took)
    waits, durations = ([0] * (len(HISTOGRAM_BOUNDS) + 1) for _ in range(2))
    for wait, duration, runs, finished_runs in await session.execute(query):
        if wait is not None:
            waits[wait] += runs
        if duration is not None:
            durations[duration] += finished_runs
    return RunHistograms(bounds=HISTOGRAM_BOUNDS, waits=tuple(waits), durations=tuple(durations))


def _check_window(since: datetime, until: datetime) -> None:
    if until <= since:
        raise InvalidInput("until: must be later than since", field="until")


def _within(
    since: datetime, until: datetime, task: str | None, queue: str | None
) -> list[ColumnElement[bool]]:
    equal = {TaskRun.task: task, TaskRun.queue: queue}
    return [
        TaskRun.started_at >= since,
        TaskRun.started_at < until,
        *(column == value for column, value in equal.items() if value is not None),
    ]


def _class_of(duration: SQLColumnExpression[Any]) -> ColumnElement[int]:
    """Returns the number of bounds that a duration has reached; NULL if it is unknown."""
    seconds = cast(func.extract("epoch", duration), Double)
    bounds = literal([bound.total_seconds() for bound in HISTOGRAM_BOUNDS], ARRAY(Double))
    return cast(func.width_bucket(seconds, bounds), Integer)


def _bucket(starts_at: datetime, row: Sequence[Any] | None) -> TrendBucket:
    if row is None:
        return TrendBucket(starts_at=starts_at, by_status=dict.fromkeys(RunStatus, 0), p50=None, p95=None)
    _, *counts, percentiles = row
    p50, p95 = percentiles or (None, None)
    by_status: dict[RunStatus, int] = dict(zip(RunStatus, counts, strict=True))
    return TrendBucket(starts_at=starts_at, by_status=by_status, p50=p50, p95=p95)
