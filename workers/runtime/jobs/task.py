"""Tasks with bodies, and the context that a body receives."""

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
        job_id: the job.
        enqueued_at: when the job was enqueued.
        worker_id: the worker that runs it.
        attempt: number of this attempt, from 1.
        resources: the connections of the worker.
        progress: receives `report_progress`; None discards it.
        children: number of child jobs that an earlier run has created; see `subjobs.fan_out`.
    """

    job_id: str
    enqueued_at: datetime
    worker_id: str
    attempt: int
    resources: Resources
    progress: ProgressReporter | None = None
    children: int = 0

    async def commit_once(self, effect: Callable[[AsyncSession], Awaitable[object]]) -> object:
        """Runs an effect in one transaction, at most once for each job.

        If an earlier run of this job has committed, this returns its result and runs nothing. A run calls
        this once, for all of its effects.

        Args:
            effect: runs inside the transaction; its result is stored in the same transaction.

        Raises:
            WorkerFenced: the worker's lease has expired; nothing is committed.
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
        """Reports progress. Cheap enough for every step of a loop.

        Args:
            done: finished units of work.
            total: all units of work, if known.
            message: the current step, for people.
        """
        if self.progress is not None:
            self.progress.report(done, total, message)


def _result_in(receipt: Receipt) -> object:
    return codec.decode(receipt.result)["result"]


@dataclass(frozen=True, slots=True)
class Task(Generic[ArgumentsT]):
    """A declared task with its body."""

    declaration: TaskDeclaration[ArgumentsT]
    body: Callable[[TaskContext, ArgumentsT], Awaitable[object]]


def task(
    declaration: TaskDeclaration[ArgumentsT],
) -> Callable[[Callable[[TaskContext, ArgumentsT], Awaitable[object]]], Task[ArgumentsT]]:
    """Declares an async function as the body of a task.

    The function must be idempotent and safe to kill anywhere. Its return value is the job's result.
    """

    def with_body(body: Callable[[TaskContext, ArgumentsT], Awaitable[object]]) -> Task[ArgumentsT]:
        return Task(declaration, body)

    return with_body


def tasks_in(module: ModuleType) -> tuple[Task[TaskArguments], ...]:
    """Returns the tasks of a module, in the order of their definition."""
    members = cast("dict[str, object]", vars(module))
    return tuple(
        cast("Task[TaskArguments]", member) for member in members.values() if isinstance(member, Task)
    )
