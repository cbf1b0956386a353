"""Tasks that fail of late, each judged by its own latest runs."""

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
"""Ended runs of each task by which it is judged, the latest."""
IN_A_ROW: Final = 3
"""A task fails with so many failures since its last success, or with `OF_ALL` among those looked at."""
OF_ALL: Final = 5
_LONGEST_ERROR: Final = 200
# What else ends a run says nothing of the task: it is tried again, was called off, or given back.
FAILED: Final = (RunStatus.FAILED, RunStatus.LOST)
_TELLING: Final = (RunStatus.SUCCEEDED, *FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRun:
    """A run that succeeded or failed.

    Attributes:
        state: how it ended.
        started_at: when it began.
        error: why it failed, in short.
    """

    state: RunStatus
    started_at: datetime
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingTask:
    """A task that fails.

    Attributes:
        task: its name.
        scheduled: whether it runs by itself.
        failed: how many of its latest runs failed.
        runs: of how many, `LOOKED_AT` at most.
        in_a_row: how many of them failed since the last that succeeded.
        since: when the first of those began that it is judged by.
        error: why the last of them failed, in short.
        states: how those ended.
    """

    task: str
    scheduled: bool
    failed: int
    runs: int
    in_a_row: int
    since: datetime
    error: str
    states: tuple[RunStatus, ...]

    @property
    def is_broken(self) -> bool:
        """Whether what should happen by itself does not happen any more."""
        return self.scheduled and self.in_a_row >= IN_A_ROW

    def __str__(self) -> str:
        """The task and how often it failed, in a few words."""
        if self.in_a_row < IN_A_ROW and self.failed >= OF_ALL:
            return f"{self.task} failed in {self.failed} of its last {self.runs} runs"
        if self.in_a_row == 1:
            return f"{self.task} failed when it last ran"
        return f"{self.task} failed the last {self.in_a_row} times it ran"


async def list_failing_tasks(
    session: AsyncSession, tasks: Collection[str], *, scheduled: Collection[str]
) -> tuple[FailingTask, ...]:
    """The tasks that fail, by one query that reads the latest runs of each.

    Args:
        session: in a transaction.
        tasks: names of the tasks to be judged.
        scheduled: of them those that run by themselves, perhaps once a day: one failure is told of these.
    """
    wanted = sorted({*tasks, *scheduled})
    error = func.left(func.coalesce(TaskRun.error_message, TaskRun.error_code), _LONGEST_ERROR)
    query = select_latest_runs(
        wanted,
        (TaskRun.state, TaskRun.started_at, error.label("error")),
        TaskRun.state.in_(_TELLING),
        limit=LOOKED_AT,
    )
    found: dict[str, list[EndedRun]] = {}
    for row in (await session.execute(query)).mappings():
        fields = dict(row)
        found.setdefault(fields.pop("name"), []).append(EndedRun(**fields))
    judged = (judge(name, found.get(name, ()), scheduled=name in scheduled) for name in wanted)
    return tuple(task for task in judged if task is not None)


def judge(task: str, runs: Sequence[EndedRun], *, scheduled: bool) -> FailingTask | None:
    """What is wrong with a task by its latest ended runs, in any order; None where it does its work."""
    latest_first = sorted(runs, key=lambda run: run.started_at, reverse=True)[:LOOKED_AT]
    failures = [run for run in latest_first if run.state in FAILED]
    in_a_row = list(takewhile(lambda run: run.state in FAILED, latest_first))
    if len(in_a_row) >= IN_A_ROW or (scheduled and in_a_row and len(failures) < OF_ALL):
        told = in_a_row
    elif len(failures) >= OF_ALL:
        told = failures
    else:
        return None
    return FailingTask(
        task=task,
        scheduled=scheduled,
        failed=len(failures),
        runs=len(latest_first),
        in_a_row=len(in_a_row),
        since=told[-1].started_at,
        error=told[0].error or "",
        states=tuple(state for state in FAILED if any(run.state is state for run in told)),
    )
