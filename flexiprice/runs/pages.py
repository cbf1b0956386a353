"""The run history as a table: sorted by any of its columns, page by page in both directions, counted."""

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
from flexiprice.runs.durations import RAN, WAITED, not_negative
from flexiprice.runs.query import MAX_LISTED_RUNS, RUN_FIELDS, Run, RunFilter, run_conditions

MAX_COUNTED_RUNS: Final = 100_000
"""Runs that are counted at once at most."""

SortKey = datetime | timedelta | str


class RunOrder(StrEnum):
    """By what runs are sorted; runs that are equal in it are by when they began.

    A run that has not ended has no duration, and one of which nobody knows when it was due no wait: they
    stand where nothing stands.
    """

    STARTED = "started"
    DURATION = "duration"
    WAIT = "wait"
    TASK = "task"


@dataclass(frozen=True, slots=True)
class RunPlace:
    """A place between two runs of a sorted list: just behind this one, or just before it.

    Attributes:
        key: what the run is sorted by.
        started_at: when it began.
        run_id: its id.
        before: the page ends before the run rather than beginning behind it.
    """

    key: SortKey
    started_at: datetime
    run_id: UUID
    before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    """A page of a sorted list of runs.

    Attributes:
        runs: in the order that was asked for.
        previous: where the page before this one is; None where there is none.
        next: where the page behind this one is; None where there is none.
    """

    runs: tuple[Run, ...]
    previous: RunPlace | None
    next: RunPlace | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCounts:
    """How many runs meet a filter, whatever state it asks for.

    Attributes:
        by_state: how many of them stand how; every state is there.
        complete: false where there are more than `MAX_COUNTED_RUNS`, and only the latest were counted.
    """

    by_state: Mapping[RunStatus, int]
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
    """A page of runs.

    By start, and by task where one is given, its cost does not depend on how many runs there are;
    otherwise the runs of the window are looked at once.

    Args:
        session: in a transaction.
        wanted: which.
        order: by what they are sorted.
        descending: the largest first.
        place: where the page is; at the start where it is None.
        limit: at most so many, up to `MAX_LISTED_RUNS` - 1.
    """
    limit = min(limit, MAX_LISTED_RUNS - 1)
    backwards = place is not None and place.before
    # A page before a place is the page behind it in the list turned round.
    query = _sorted(wanted, order, descending=descending != backwards).limit(limit + 1)
    if place is not None:
        query = query.where(_behind(order, place, descending=descending != backwards))
    rows = (await session.execute(query)).mappings().all()
    goes_on = len(rows) > limit
    runs = [Run(**row) for row in rows[:limit]]
    if backwards:
        runs.reverse()
    if not runs:
        return RunPage(runs=(), previous=None, next=None)
    # Coming back from behind, there is a page behind; and the other way round.
    has_previous, has_next = (goes_on, True) if backwards else (place is not None, goes_on)
    return RunPage(
        runs=tuple(runs),
        previous=replace(place_of(runs[0], order), before=True) if has_previous else None,
        next=place_of(runs[-1], order) if has_next else None,
    )


async def count_runs(session: AsyncSession, wanted: RunFilter) -> RunCounts:
    """How many runs meet a filter, by state; the states that it asks for do not narrow the counting."""
    latest = (
        select(TaskRun.state)
        .where(*run_conditions(replace(wanted, states=())))
        .order_by(TaskRun.started_at.desc())
        .limit(MAX_COUNTED_RUNS + 1)
        .subquery()
    )
    counted = await session.execute(select(latest.c.state, func.count()).group_by(latest.c.state))
    by_state = dict.fromkeys(RunStatus, 0)
    for state, number in counted:
        by_state[state] = number
    return RunCounts(by_state=by_state, complete=sum(by_state.values()) <= MAX_COUNTED_RUNS)


async def list_children(
    session: AsyncSession, job_id: str, *, since: datetime, limit: int = 50
) -> tuple[Run, ...]:
    """The first runs of the jobs that name a job as their parent: its new tries and what it enqueued.

    Args:
        session: in a transaction.
        job_id: the parent.
        since: an instant before which none of them began, such as when the parent was enqueued: only
            runs that began later are looked at.
        limit: at most so many, up to `MAX_LISTED_RUNS`.
    """
    query = (
        select(*RUN_FIELDS)
        .where(TaskRun.parent_job_id == job_id, TaskRun.attempt == 1, TaskRun.started_at >= since)
        .order_by(TaskRun.started_at, TaskRun.run_id)
        .limit(min(limit, MAX_LISTED_RUNS))
    )
    return tuple(Run(**row) for row in (await session.execute(query)).mappings())


def place_of(run: Run, order: RunOrder) -> RunPlace:
    """The place just behind a run."""
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
    here, there = tuple_(*keys), tuple_(*(literal(v, k.type) for v, k in zip(values, keys, strict=True)))
    return here < there if descending else here > there


def _key(order: RunOrder) -> ColumnElement[Any]:
    if order is RunOrder.DURATION:
        return not_negative(RAN)
    if order is RunOrder.WAIT:
        return not_negative(WAITED)
    return TaskRun.task.expression
