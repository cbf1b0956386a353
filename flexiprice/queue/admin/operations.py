"""Operations on jobs, queues, schedules and workers, each with its entry in the audit log.

Command line, API and monitor perform the same operations. Each records them and presents the answers.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from flexiprice.errors import Conflict, NotFound, QueueFull
from flexiprice.queue.admin import dead_letter_actions, queues, schedules
from flexiprice.queue.admin.retry import Retried, RetryOutcome, retry_jobs
from flexiprice.queue.admin.revoke import Revoked, RevokeOutcome, purge, revoke_jobs
from flexiprice.queue.admin.worker_commands import command_worker
from flexiprice.queue.client import EnqueuedJob, TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS, TaskArguments, TaskDeclaration
from flexiprice.queue.source import JobSource
from flexiprice.queue.worker.heartbeat import WorkerCommand
from flexiprice.settings import Queue

AnswerT = TypeVar("AnswerT")


@dataclass(frozen=True, slots=True)
class Operation(Generic[AnswerT]):
    """A change outside the database that an operator asks for.

    Attributes:
        action: the kind of change in the audit log; also the name of the API's endpoint.
        target: the task, jobs, queues, schedule or worker that it changes, separated by commas.
        make: makes the change.
        details_of: returns facts about the answer for the audit log.
    """

    action: str
    target: str
    make: Callable[[TaskQueue], Awaitable[AnswerT]]
    details_of: Callable[[AnswerT], Mapping[str, object]]

    async def perform(self, tasks: TaskQueue, details: dict[str, object]) -> AnswerT:
        """Makes the change, and adds its facts to the details of the audit entry.

        Raises:
            RedisUnavailable: Redis does not answer; the change may have been made in part.
            FlexiPriceError: it was refused, as the function that returned the operation says.
        """
        answer = await self.make(tasks)
        details.update(self.details_of(answer))
        return answer


def run_task(
    task: TaskDeclaration[TaskArguments],
    arguments: Mapping[str, object],
    *,
    defer_by: timedelta | None = None,
    expires: timedelta | None = None,
    source: JobSource,
) -> Operation[EnqueuedJob]:
    """Enqueues a task. Performing it raises the errors of `TaskQueue.enqueue`."""
    return Operation(
        "run_task",
        task.name,
        lambda tasks: tasks.enqueue(
            task, arguments=arguments, defer_by=defer_by, expires=expires, source=source
        ),
        _job_details,
    )


def trigger_recompute(*, days_threshold: int, source: JobSource) -> Operation[EnqueuedJob]:
    """Enqueues a recompute of all discounts. Performing it raises the errors of `TaskQueue.enqueue`."""
    arguments = {"days_threshold": days_threshold}
    return Operation(
        "trigger_recompute",
        RECOMPUTE_ALL_DISCOUNTS.name,
        lambda tasks: tasks.enqueue(RECOMPUTE_ALL_DISCOUNTS, arguments=arguments, source=source),
        lambda job: {**arguments, **_job_details(job)},
    )


def retry_tasks(job_ids: Sequence[str], *, source: JobSource) -> Operation[tuple[Retried, ...]]:
    """Retries finished jobs."""
    return Operation(
        "retry_tasks",
        _listed(job_ids),
        lambda tasks: retry_jobs(tasks, job_ids, source=source),
        _retry_details,
    )


def retry_task(job_id: str, *, source: JobSource) -> Operation[Retried]:
    """Retries one finished job.

    Performing it raises NotFound for an unknown job, QueueFull for a full queue, and Conflict for a job that
    has not finished or whose message Redis no longer has.
    """

    async def make(tasks: TaskQueue) -> Retried:
        (answer,) = await retry_jobs(tasks, [job_id], source=source)
        match answer.outcome:
            case RetryOutcome.UNKNOWN:
                raise no_task(job_id)
            case RetryOutcome.REFUSED:
                raise QueueFull(answer.message)
            case RetryOutcome.NOT_ENDED | RetryOutcome.UNREADABLE:
                raise Conflict(answer.message)
            case RetryOutcome.ENQUEUED:
                return answer

    return Operation("retry_task", job_id, make, lambda answer: {"new_task_id": answer.new_job_id})


def revoke_tasks(job_ids: Sequence[str]) -> Operation[tuple[Revoked, ...]]:
    """Revokes jobs."""
    return Operation(
        "revoke_tasks",
        _listed(job_ids),
        lambda tasks: revoke_jobs(tasks, job_ids),
        lambda answers: {"outcomes": {answer.job_id: answer.outcome.value for answer in answers}},
    )


def revoke_task(job_id: str) -> Operation[Revoked]:
    """Revokes one job. Performing it raises NotFound for an unknown job."""

    async def make(tasks: TaskQueue) -> Revoked:
        (answer,) = await revoke_jobs(tasks, [job_id])
        if answer.outcome is RevokeOutcome.UNKNOWN:
            raise no_task(job_id)
        return answer

    return Operation("revoke_task", job_id, make, lambda answer: {"outcome": answer.outcome.value})


def purge_tasks(wanted: Sequence[Queue]) -> Operation[dict[Queue, int]]:
    """Revokes the waiting and deferred jobs of queues; answers with their number by queue."""
    return Operation(
        "purge_tasks",
        _listed(wanted),
        lambda tasks: purge(tasks, wanted),
        lambda purged: {"purged": {queue.value: count for queue, count in purged.items()}},
    )


def purge_queue(queue: Queue) -> Operation[int]:
    """Revokes the waiting and deferred jobs of one queue; answers with their number."""

    async def make(tasks: TaskQueue) -> int:
        return (await purge(tasks, (queue,)))[queue]

    return Operation("purge_queue", queue.value, make, lambda purged: {"purged": purged})


def retry_dead_letters(job_ids: Sequence[str] | None, *, source: JobSource) -> Operation[tuple[Retried, ...]]:
    """Retries dead letters; None for all."""
    return Operation(
        "retry_dead_letters",
        _listed_or_all(job_ids),
        lambda tasks: dead_letter_actions.retry_letters(tasks, job_ids, source=source),
        _retry_details,
    )


def dismiss_dead_letters(job_ids: Sequence[str] | None) -> Operation[int]:
    """Deletes dead letters, None for all; answers with their number."""
    return Operation(
        "dismiss_dead_letters",
        _listed_or_all(job_ids),
        lambda tasks: dead_letter_actions.dismiss(tasks, job_ids),
        lambda dismissed: {"dismissed": dismissed},
    )


def pause_queue(queue: Queue, *, by: str) -> Operation[bool]:
    """Pauses a queue; answers whether it was not paused before."""
    return _switch("pause_queue", queue.value, lambda tasks: queues.pause_queue(tasks, queue, by=by))


def resume_queue(queue: Queue) -> Operation[bool]:
    """Resumes a queue; answers whether it was paused before."""
    return _switch("resume_queue", queue.value, lambda tasks: queues.resume_queue(tasks, queue))


def pause_schedule(name: str, *, by: str) -> Operation[bool]:
    """Pauses a schedule; answers whether it was not paused before.

    Performing it raises NotFound for an unknown schedule.
    """
    return _switch("pause_schedule", name, lambda tasks: schedules.pause_schedule(tasks, name, by=by))


def resume_schedule(name: str) -> Operation[bool]:
    """Resumes a schedule; answers whether it was paused before.

    Performing it raises NotFound for an unknown schedule.
    """
    return _switch("resume_schedule", name, lambda tasks: schedules.resume_schedule(tasks, name))


def run_schedule(name: str, *, source: JobSource) -> Operation[EnqueuedJob]:
    """Enqueues the task of a schedule now. Performing it raises the errors of `schedules.run_schedule`."""
    return Operation(
        "run_schedule",
        name,
        lambda tasks: schedules.run_schedule(tasks, name, source=source),
        _job_details,
    )


def drain_or_stop_worker(worker_id: str, command: WorkerCommand) -> Operation[bool]:
    """Commands a worker; answers whether it confirmed.

    Performing it raises NotFound if no such worker is alive.
    """
    return Operation(
        f"{command.value}_worker",
        worker_id,
        lambda tasks: command_worker(tasks, worker_id, command),
        lambda confirmed: {"confirmed": confirmed},
    )


def no_task(job_id: str) -> NotFound:
    """Returns the error for a job that does not exist, in the words of the API."""
    return NotFound(f"there is no task {job_id!r}, or its result is no longer kept")


def _switch(action: str, target: str, make: Callable[[TaskQueue], Awaitable[bool]]) -> Operation[bool]:
    return Operation(action, target, make, lambda changed: {"changed": changed})


def _retry_details(answers: Sequence[Retried]) -> Mapping[str, object]:
    return {"new_task_ids": {answer.job_id: answer.new_job_id for answer in answers}}


def _job_details(job: EnqueuedJob) -> Mapping[str, object]:
    return {"task_id": job.job_id}


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def _listed_or_all(job_ids: Sequence[str] | None) -> str:
    return "all" if job_ids is None else _listed(job_ids)
