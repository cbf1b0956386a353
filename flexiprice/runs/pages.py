"""Pagination of the run history: sorted by any column, in both directions, with counts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import TaskRun
from flexiprice.domain.run import RunStatus
from flexiprice.runs.durations import QUEUE_TIME, RUN_TIME, not_negative
from flexiprice.runs.query import MAX_LISTED_RUNS, RUN_FIELDS, Run, RunFilter, run_conditions

MAX_COUNTED_RUNS: Final = 100_000
"""Upper limit of one count of runs."""

SortKey = datetime | timedelta | str


class RunOrder(StrEnum):
    """Sort keys of runs; ties are sorted by start.

    A run that has not ended sorts as duration zero, and a run with an unknown due time as wait zero.
    """

    STARTED = "started"
    DURATION = "duration"
    WAIT = "wait"
    TASK = "task"


@dataclass(frozen=True, slots=True)
class RunPlace:
    """A cursor in a sorted list of runs: just after a run, or just before it.

    Attributes:
        key: the run's sort key.
        started_at: start of the run.
        run_id: id of the run.
        before: the page ends before the run instead of beginning after it.
    """

    key: SortKey
    started_at: datetime
    run_id: UUID
    before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A page of a sorted list of runs.

    Attributes:
        runs: the runs in the requested order.
        previous: cursor of the previous page; None on the first.
        next: cursor of the next page; None on the last.
    """

    runs: tuple[Run, ...]
    previous: RunPlace | None
    next: RunPlace | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCounts:
    """Numbers of runs that meet a filter, without its filter by status.

    Attributes:
        by_status: number of runs per status; has every status.
        complete: false if there are more than `MAX_COUNTED_RUNS`, of which only the latest were counted.
    """

    by_status: Mapping[RunStatus, int]
    complete: bool


async def read_run_page(
    session: AsyncSession,
    wanted: RunFilter,
    *,
    order: RunOrder = RunOrder.STARTED,
    descending: bool = True,
    place: RunPlace | None = None,
    limit: int = 50,
) -> RunPage:
    """Reads a page of runs.

    Sorted by start, or by task with a filter by task, its cost does not depend on the number of runs.
    Otherwise it scans the runs of the window once.

    Args:
        session: in a transaction.
        wanted: filter of the runs.
        order: sort key.
        descending: largest first.
        place: cursor of the page; None for the first page.
        limit: page size, up to `MAX_LISTED_RUNS` - 1.
    """
    limit = min(limit, MAX_LISTED_RUNS - 1)
    backwards = place is not None and place.before
    # The page before a cursor is the page after it in the reversed list.
    query = _sorted(wanted, order, descending=descending != backwards).limit(limit + 1)
    if place is not None:
        query = query.where(_behind(order, place, descending=descending != backwards))
    rows = (await session.execute(query)).mappings().all()
    has_more = len(rows) > limit
    runs = [Run(**row) for row in rows[:limit]]
    if backwards:
        runs.reverse()
    if not runs:
        return RunPage(runs=(), previous=None, next=None)
    # The page that the cursor came from exists.
    has_previous, has_next = (has_more, True) if backwards else (place is not None, has_more)
    return RunPage(
        runs=tuple(runs),
        previous=replace(place_of(runs[0], order), before=True) if has_previous else None,
        next=place_of(runs[-1], order) if has_next else None,
    )


async def count_runs(session: AsyncSession, wanted: RunFilter) -> RunCounts:
    """Counts the runs that meet a filter, per status; ignores the filter's statuses."""
    latest = (
        select(TaskRun.status)
        .where(*run_conditions(replace(wanted, statuses=())))
        .order_by(TaskRun.started_at.desc())
        .limit(MAX_COUNTED_RUNS + 1)
        .subquery()
    )
    counted = await session.execute(select(latest.c.status, func.count()).group_by(latest.c.status))
    by_status = dict.fromkeys(RunStatus, 0)
    for status, number in counted:
        by_status[status] = number
    return RunCounts(by_status=by_status, complete=sum(by_status.values()) <= MAX_COUNTED_RUNS)


async def list_children(
    session: AsyncSession, job_id: str, *, since: datetime, limit: int = 50
) -> tuple[Run, ...]:
    """Lists the first runs of the jobs whose parent is a job: its retries and the jobs that it enqueued.

    Args:
        session: in a transaction.
        job_id: the parent.
        since: lower bound of their starts, such as when the parent was enqueued; limits the scan.
        limit: number of runs at most, up to `MAX_LISTED_RUNS`.
    """
    query = (
        select(*RUN_FIELDS)
        .where(TaskRun.parent_job_id == job_id, TaskRun.attempt == 1, TaskRun.started_at >= since)
        .order_by(TaskRun.started_at, TaskRun.run_id)
        .limit(min(limit, MAX_LISTED_RUNS))
    )
    return tuple(Run(**row) for row in (await session.execute(query)).mappings())


def place_of(run: Run, order: RunOrder) -> RunPlace:
    """Returns the cursor just after a run."""
    keys: dict[RunOrder, SortKey] = {
        RunOrder.STARTED: run.started_at,
        RunOrder.DURATION: run.ran or timedelta(0),
        RunOrder.WAIT: run.waited or timedelta(0),
        RunOrder.TASK: run.task,
    }
    return RunPlace(keys[order], run.started_at, run.run_id)


def _sorted(wanted: RunFilter, order: RunOrder, *, descending: bool) -> Select[Any]:
    columns = [TaskRun.started_at, TaskRun.run_id]
    keys: list[ColumnElement[Any]] = [column.expression for column in columns]
    if order is not RunOrder.STARTED:
        keys.insert(0, _key(order))
    return (
        select(*RUN_FIELDS)
        .where(*run_conditions(wanted))
        .order_by(*(key.desc() if descending else key.asc() for key in keys))
    )


def _behind(order: RunOrder, place: RunPlace, *, descending: bool) -> ColumnElement[bool]:
    values: list[Any] = [place.started_at, place.run_id]
    keys: list[ColumnElement[Any]] = [TaskRun.started_at.expression, TaskRun.run_id.expression]
    if order is not RunOrder.STARTED:
        keys.insert(0, _key(order))
        values.insert(0, place.key)
    row, cursor = tuple_(*keys), tuple_(*(literal(v, k.type) for v, k in zip(values, keys, strict=True)))
    return row < cursor if descending else row > cursor


def _key(order: RunOrder) -> ColumnElement[Any]:
    if order is RunOrder.DURATION:
        return not_negative(RUN_TIME)
    if order is RunOrder.WAIT:
        return not_negative(QUEUE_TIME)
    return TaskRun.task.expression
