"""A task as workers know it: its declaration with a body, and what the body is given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Generic, TypeVar, cast

from flexiprice.jobs.declarations import TaskArguments, TaskDeclaration
from flexiprice.resources import Resources
from workers.runtime.progress import ProgressReporter

ArgumentsT = TypeVar("ArgumentsT", bound=TaskArguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """One run of a task, as its body sees it.

    Attributes:
        job_id: the job that is run.
        attempt: the number of this try, from 1.
        now: when it began; a body needs no other clock.
        resources: the connections of the worker.
        progress: where `report_progress` goes; nowhere where it is None.
    """

    job_id: str
    attempt: int
    now: datetime
    resources: Resources
    progress: ProgressReporter | None = None

    def report_progress(self, done: int, total: int | None = None, message: str | None = None) -> None:
        """Says how far the run has come, to whoever watches it; cheap enough for every step of a loop.

        Args:
            done: units of work that are behind it.
            total: units of work that there are, where that is known.
            message: what it is at, for people.
        """
        if self.progress is not None:
            self.progress.report(done, total, message)


@dataclass(frozen=True, slots=True)
class Task(Generic[ArgumentsT]):
    """A declared task with the function that does it."""

    declaration: TaskDeclaration[ArgumentsT]
    body: Callable[[TaskRun, ArgumentsT], Awaitable[object]]


def task(
    declaration: TaskDeclaration[ArgumentsT],
) -> Callable[[Callable[[TaskRun, ArgumentsT], Awaitable[object]]], Task[ArgumentsT]]:
    """Makes an async function the body of a declared task.

    The function must be safe to kill anywhere and to run again. What it returns is the job's result.
    """

    def with_body(body: Callable[[TaskRun, ArgumentsT], Awaitable[object]]) -> Task[ArgumentsT]:
        return Task(declaration, body)

    return with_body


def tasks_in(module: ModuleType) -> tuple[Task[TaskArguments], ...]:
    """The tasks that a module defines, in its order."""
    members = cast("dict[str, object]", vars(module))
    return tuple(
        cast("Task[TaskArguments]", member) for member in members.values() if isinstance(member, Task)
    )
