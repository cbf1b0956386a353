"""Statistics per task: numbers of runs by status, throughput, queue times and run times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    Interval,
    SQLColumnExpression,
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

_FRACTIONS: Final = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The median, 95th and 99th percentile of a duration."""

    p50: timedelta
    p95: timedelta
    p99: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStatistics:
    """Statistics of the runs of one task that began within a window.

    Attributes:
        task: name of the task.
        runs: number of all runs, running ones included.
        by_status: number of runs per status; has every status.
        throughput_per_minute: ended runs per minute of the window.
        wait: time from due to start; None if unknown for all runs.
        duration: run time of runs that succeeded or failed; None without any.
    """

    task: str
    runs: int
    by_status: Mapping[RunStatus, int]
    throughput_per_minute: float
    wait: Percentiles | None
    duration: Percentiles | None

    @property
    def failure_rate(self) -> float:
        """Failed runs as a fraction of those that succeeded or failed; 0 without any."""
        failed = self.by_status[RunStatus.FAILED]
        ended = failed + self.by_status[RunStatus.SUCCEEDED]
        return failed / ended if ended else 0.0


async def get_run_statistics(
    session: AsyncSession, *, since: datetime, until: datetime, task: str | None = None
) -> tuple[TaskStatistics, ...]:
    """Computes statistics per task of the runs that began from `since` until before `until`, by one query.

    Args:
        session: in a transaction.
        since: start of the window.
        until: end of the window, later than its start.
        task: limits the result to this task.

    Raises:
        InvalidInput: the window is empty.
    """
    if until <= since:
        raise InvalidInput("until: must be later than since", field="until")
    query = (
        select(
            TaskRun.task,
            func.count(),
            *(func.count().filter(TaskRun.status == status) for status in RunStatus),
            _percentiles(QUEUE_TIME),
            _percentiles(RUN_TIME, TaskRun.status.in_(FINISHED_STATUSES)),
        )
        .where(TaskRun.started_at >= since, TaskRun.started_at < until)
        .group_by(TaskRun.task)
        .order_by(TaskRun.task)
    )
    if task is not None:
        query = query.where(TaskRun.task == task)
    minutes = (until - since) / timedelta(minutes=1)
    return tuple(_statistics(row, minutes) for row in await session.execute(query))


def _percentiles(duration: SQLColumnExpression[Any], *conditions: ColumnElement[bool]) -> ColumnElement[Any]:
    fractions = literal(list(_FRACTIONS), ARRAY(Double))
    percentiles = func.percentile_cont(fractions).within_group(not_negative(duration))
    known = percentiles.filter(duration.is_not(None), *conditions)
    return type_coerce(known, ARRAY(Interval))


def _statistics(row: Sequence[Any], minutes: float) -> TaskStatistics:
    task, runs, *counts, wait, duration = row
    by_status: dict[RunStatus, int] = dict(zip(RunStatus, counts, strict=True))
    return TaskStatistics(
        task=task,
        runs=runs,
        by_status=by_status,
        throughput_per_minute=(runs - by_status[RunStatus.RUNNING]) / minutes,
        wait=None if wait is None else Percentiles(*wait),
        duration=None if duration is None else Percentiles(*duration),
    )
