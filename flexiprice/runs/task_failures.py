"""Finds tasks that currently fail, by the latest runs of each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Final

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.operations_tables import TaskRun
from flexiprice.domain.run import RunStatus
from flexiprice.runs.latest import select_latest_runs

LOOKED_AT: Final = 10
"""Number of latest ended runs that are considered per task."""
IN_A_ROW: Final = 3
"""Failures since the last success from which on a task counts as failing."""
OF_ALL: Final = 5
"""Failures among the considered runs from which on a task counts as failing."""
_LONGEST_ERROR: Final = 200
# Other final statuses are not the task's fault: the run is retried, was revoked, or was released.
FAILED: Final = (RunStatus.FAILED, RunStatus.LOST)
_FINISHED_STATUSES: Final = (RunStatus.SUCCEEDED, *FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run that succeeded or failed.

    Attributes:
        status: final status.
        started_at: when it began.
        error: shortened error message.
    """

    status: RunStatus
    started_at: datetime
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingTask:
    """A task that currently fails.

    Attributes:
        task: name of the task.
        scheduled: whether a schedule enqueues it.
        failed: number of failures among the considered runs.
        runs: number of considered runs, `LOOKED_AT` at most.
        in_a_row: number of failures since the last success.
        since: start of the first of the reported failures.
        error: shortened error message of the last of them.
        statuses: their final statuses.
    """

    task: str
    scheduled: bool
    failed: int
    runs: int
    in_a_row: int
    since: datetime
    error: str
    statuses: tuple[RunStatus, ...]

    @property
    def is_broken(self) -> bool:
        """Whether a schedule repeatedly failed to do its work."""
        return self.scheduled and self.in_a_row >= IN_A_ROW

    def __str__(self) -> str:
        """Summarises the failures in one sentence."""
        if self.in_a_row < IN_A_ROW and self.failed >= OF_ALL:
            return f"{self.task} failed in {self.failed} of its last {self.runs} runs"
        if self.in_a_row == 1:
            return f"{self.task} failed when it last ran"
        return f"{self.task} failed the last {self.in_a_row} times it ran"


async def list_failing_tasks(
    session: AsyncSession, tasks: Collection[str], *, scheduled: Collection[str]
) -> tuple[FailingTask, ...]:
    """Lists the tasks that currently fail, by one query of the latest runs of each.

    Args:
        session: in a transaction.
        tasks: names of the tasks.
        scheduled: names of the scheduled ones, which may run only once a day: one failure is reported.
    """
    wanted = sorted({*tasks, *scheduled})
    error = func.left(func.coalesce(TaskRun.error_message, TaskRun.error_code), _LONGEST_ERROR)
    query = select_latest_runs(
        wanted,
        (TaskRun.status, TaskRun.started_at, error.label("error")),
        TaskRun.status.in_(_FINISHED_STATUSES),
        limit=LOOKED_AT,
    )
    found: dict[str, list[EndedRun]] = {}
    for row in (await session.execute(query)).mappings():
        fields = dict(row)
        found.setdefault(fields.pop("name"), []).append(EndedRun(**fields))
    judged = (judge(name, found.get(name, ()), scheduled=name in scheduled) for name in wanted)
    return tuple(task for task in judged if task is not None)


def judge(task: str, runs: Sequence[EndedRun], *, scheduled: bool) -> FailingTask | None:
    """Judges a task by its ended runs, given in any order; None if it does not fail."""
    latest_first = sorted(runs, key=lambda run: run.started_at, reverse=True)[:LOOKED_AT]
    failures = [run for run in latest_first if run.status in FAILED]
    in_a_row = list(takewhile(lambda run: run.status in FAILED, latest_first))
    if len(in_a_row) >= IN_A_ROW or (scheduled and in_a_row and len(failures) < OF_ALL):
        reported = in_a_row
    elif len(failures) >= OF_ALL:
        reported = failures
    else:
        return None
    return FailingTask(
        task=task,
        scheduled=scheduled,
        failed=len(failures),
        runs=len(latest_first),
        in_a_row=len(in_a_row),
        since=reported[-1].started_at,
        error=reported[0].error or "",
        statuses=tuple(status for status in FAILED if any(run.status is status for run in reported)),
    )
