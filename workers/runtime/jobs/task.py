"""A task as workers know it: its declaration with a body, and what the body is given."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Generic, TypeVar, cast

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.errors import JobAlreadyDone
from flexiprice.queue.declarations import TaskArguments, TaskDeclaration
from flexiprice.queue.redis import codec
from flexiprice.resources import Resources
from flexiprice.runs.receipts import Receipt, begin_task, find_receipt, write_receipt
from workers.runtime.jobs.progress import ProgressReporter

ArgumentsT = TypeVar("ArgumentsT", bound=TaskArguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """One run of a task, as its body sees it.

    Attributes:
        job_id: the job that is run.
        enqueued_at: when it was enqueued.
        worker_id: who runs it.
        attempt: the number of this try, from 1.
        resources: the connections of the worker.
        progress: where `report_progress` goes; nowhere where it is None.
        parts: how many parts an earlier try has given the job; see `parts.fan_out`.
    """

    job_id: str
    enqueued_at: datetime
    worker_id: str
    attempt: int
    resources: Resources
    progress: ProgressReporter | None = None
    parts: int = 0

    async def commit_once(self, effect: Callable[[AsyncSession], Awaitable[object]]) -> object:
        """Does in one transaction what the job is for, and never again, however often the job runs.

        Where an earlier run of this job has committed, nothing is done, and what it returned is returned.
        A run calls this once, for all of its effects.

        Args:
            effect: works within the transaction; what it returns is kept with what it does.

        Raises:
            WorkerFenced: the worker counts as lost, and nothing of this is committed.
        """
        job_id, enqueued_at = self.job_id, self.enqueued_at
        try:
            async with self.resources.sessions.begin() as session:
                receipt = await begin_task(
                    session, worker_id=self.worker_id, job_id=job_id, enqueued_at=enqueued_at
                )
                if receipt is not None:
                    return _result_in(receipt)
                result = await effect(session)
                encoded = codec.encode({"result": result})
                await write_receipt(session, job_id=job_id, enqueued_at=enqueued_at, result=encoded)
                return result
        except JobAlreadyDone:
            async with self.resources.sessions.begin() as session:
                receipt = await find_receipt(session, job_id=job_id, enqueued_at=enqueued_at)
            if receipt is None:
                raise
            return _result_in(receipt)

    def report_progress(self, done: int, total: int | None = None, message: str | None = None) -> None:
        """Says how far the run has come, to whoever watches it; cheap enough for every step of a loop.

        Args:
            done: units of work that are behind it.
            total: units of work that there are, where that is known.
            message: what it is at, for people.
        """
        if self.progress is not None:
            self.progress.report(done, total, message)


def _result_in(receipt: Receipt) -> object:
    return codec.decode(receipt.result)["result"]


@dataclass(frozen=True, slots=True)
class Task(Generic[ArgumentsT]):
    """A declared task with the function that does it."""

    declaration: TaskDeclaration[ArgumentsT]
    body: Callable[[TaskContext, ArgumentsT], Awaitable[object]]


def task(
    declaration: TaskDeclaration[ArgumentsT],
) -> Callable[[Callable[[TaskContext, ArgumentsT], Awaitable[object]]], Task[ArgumentsT]]:
    """Makes an async function the body of a declared task.

    The function must be safe to kill anywhere and to run again. What it returns is the job's result.
    """

    def with_body(body: Callable[[TaskContext, ArgumentsT], Awaitable[object]]) -> Task[ArgumentsT]:
        return Task(declaration, body)

    return with_body


def tasks_in(module: ModuleType) -> tuple[Task[TaskArguments], ...]:
    """The tasks that a module defines, in its order."""
    members = cast("dict[str, object]", vars(module))
    return tuple(
        cast("Task[TaskArguments]", member) for member in members.values() if isinstance(member, Task)
    )
