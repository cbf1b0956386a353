"""The runs of the last minutes, for those who watch: what ended of late, and what came of each schedule."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import TaskRun
from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.runs.latest import select_latest_runs

MAX_SCHEDULE_RUNS: Final = 100
"""Runs of each schedule that are read at once at most."""
# What else ends a run leaves its job in the queue.
_LEFT_THE_QUEUE: Final = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.REVOKED)
_OF_A_SCHEDULE: Final = (RunTrigger.SCHEDULE, RunTrigger.LATE_SCHEDULE, RunTrigger.SCHEDULE_BY_HAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRun:
    """A run that a schedule led to.

    Attributes:
        job_id: of the job.
        state: how it stands.
        trigger: whether it came in time, late, or by hand.
        due_at: when it was to begin; None where that is not known.
        started_at: when it began.
        finished_at: when it ended.
        error_message: why it failed.
    """

    job_id: str
    state: RunStatus
    trigger: RunTrigger
    due_at: datetime | None
    started_at: datetime
    finished_at: datetime | None
    error_message: str | None


async def count_ended(session: AsyncSession, *, since: datetime, longest: timedelta) -> Mapping[str, int]:
    """How many jobs have left each queue for good since an instant, by one query.

    Args:
        session: in a transaction.
        since: the instant.
        longest: what a run may take; those that took longer are not counted.
    """
    query = (
        select(TaskRun.queue, func.count())
        .where(
            TaskRun.started_at >= since - longest,
            TaskRun.finished_at >= since,
            TaskRun.state.in_(_LEFT_THE_QUEUE),
            TaskRun.queue.is_not(None),
        )
        .group_by(TaskRun.queue)
    )
    return {queue: count for queue, count in await session.execute(query) if queue is not None}


async def list_schedule_runs(
    session: AsyncSession, tasks: Collection[str], *, limit: int = 50
) -> Mapping[str, tuple[ScheduleRun, ...]]:
    """The latest runs that schedules led to, by the name of their task, the oldest first, by one query.

    Args:
        session: in a transaction.
        tasks: names of the tasks.
        limit: at most so many of each, up to `MAX_SCHEDULE_RUNS`.
    """
    columns = (
        TaskRun.job_id,
        TaskRun.state,
        TaskRun.trigger,
        func.coalesce(TaskRun.due_at, TaskRun.enqueued_at).label("due_at"),
        TaskRun.started_at,
        TaskRun.finished_at,
        TaskRun.error_message,
    )
    query = select_latest_runs(
        tasks, columns, TaskRun.trigger.in_(_OF_A_SCHEDULE), limit=min(limit, MAX_SCHEDULE_RUNS)
    )
    found: dict[str, list[ScheduleRun]] = {task: [] for task in tasks}
    for row in (await session.execute(query)).mappings():
        fields = dict(row)
        found[fields.pop("name")].append(ScheduleRun(**fields))
    return {task: tuple(sorted(runs, key=_began)) for task, runs in found.items()}


async def list_last_successes(session: AsyncSession, tasks: Collection[str]) -> Mapping[str, datetime]:
    """When the latest run that succeeded ended, of those tasks that ever succeeded, by one query.

    Args:
        session: in a transaction.
        tasks: names of the tasks.
    """
    query = select_latest_runs(tasks, (TaskRun.finished_at,), TaskRun.state == RunStatus.SUCCEEDED, limit=1)
    found = (await session.execute(query)).mappings()
    return {row["name"]: row["finished_at"] for row in found if row["finished_at"] is not None}


def _began(run: ScheduleRun) -> tuple[datetime, str]:
    return run.started_at, run.job_id
