"""Recent activity: jobs that ended lately, the latest runs of schedules, the last successes of tasks."""

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
"""Upper limit of runs per schedule in one query."""
# Every other final status leaves the job in its queue.
_LEFT_THE_QUEUE: Final = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.REVOKED)
_OF_A_SCHEDULE: Final = (RunTrigger.SCHEDULE, RunTrigger.LATE_SCHEDULE, RunTrigger.SCHEDULE_BY_HAND)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleRun:
    """A run that a schedule enqueued.

    Attributes:
        job_id: id of the job.
        status: status of the run.
        trigger: whether it was enqueued on time, late, or by hand.
        due_at: when it was due; None if unknown.
        started_at: when it began.
        finished_at: when it ended.
        error_message: message of the error with which it failed.
    """

    job_id: str
    status: RunStatus
    trigger: RunTrigger
    due_at: datetime | None
    started_at: datetime
    finished_at: datetime | None
    error_message: str | None


async def count_ended(session: AsyncSession, *, since: datetime, longest: timedelta) -> Mapping[str, int]:
    """Counts the jobs of each queue that ended since an instant, by one query.

    Args:
        session: in a transaction.
        since: the instant.
        longest: time limit of runs; those that took longer are not counted.
    """
    query = (
        select(TaskRun.queue, func.count())
        .where(
            TaskRun.started_at >= since - longest,
            TaskRun.finished_at >= since,
            TaskRun.status.in_(_LEFT_THE_QUEUE),
            TaskRun.queue.is_not(None),
        )
        .group_by(TaskRun.queue)
    )
    return {queue: count for queue, count in await session.execute(query) if queue is not None}


async def list_schedule_runs(
    session: AsyncSession, tasks: Collection[str], *, limit: int = 50
) -> Mapping[str, tuple[ScheduleRun, ...]]:
    """Lists the latest scheduled runs by task name, oldest first, by one query.

    Args:
        session: in a transaction.
        tasks: names of the tasks.
        limit: number of runs per task at most, up to `MAX_SCHEDULE_RUNS`.
    """
    columns = (
        TaskRun.job_id,
        TaskRun.status,
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
    """Maps each task that ever succeeded to the end of its latest success, by one query.

    Args:
        session: in a transaction.
        tasks: names of the tasks.
    """
    query = select_latest_runs(tasks, (TaskRun.finished_at,), TaskRun.status == RunStatus.SUCCEEDED, limit=1)
    found = (await session.execute(query)).mappings()
    return {row["name"]: row["finished_at"] for row in found if row["finished_at"] is not None}


def _began(run: ScheduleRun) -> tuple[datetime, str]:
    return run.started_at, run.job_id
