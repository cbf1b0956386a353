"""What happens right now: the jobs that run, and those that are to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flexiprice.errors import InvalidInput
from flexiprice.queue.admin.queues import QueueState, get_queue
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import TaskArguments, TaskDeclaration
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.status import JobInfo, JobStatus
from flexiprice.queue.task_definitions import get_task
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.settings import Queue

MAX_LISTED_JOBS: Final = 500
"""Jobs that one list holds at most."""


async def list_active(tasks: TaskQueue) -> tuple[JobInfo, ...]:
    """The jobs that run, those that have run longest first.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    ids = [job_id for queue in Queue for job_id in (await get_queue(tasks, queue)).running_job_ids]
    running = [
        status
        for status in (await tasks.find_statuses(ids)).values()
        # What has ended between the two looks runs no longer.
        if status.status is JobStatus.RUNNING
    ]
    return tuple(sorted(running, key=lambda job: (job.started_at is None, job.started_at, job.job_id)))


async def list_deferred(tasks: TaskQueue, *, limit: int = 100) -> tuple[JobInfo, ...]:
    """The jobs that are not due yet, the next first; those included that wait for another try.

    Args:
        tasks: the queue.
        limit: at most so many, up to `MAX_LISTED_JOBS`.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    limit = min(limit, MAX_LISTED_JOBS)
    with redis_errors():
        seconds, micros = await tasks.redis.time()
        async with tasks.redis.pipeline(transaction=False) as pipe:
            for queue in Queue:
                after = f"({seconds * 1000 + micros // 1000}"
                pipe.zrangebyscore(keys.queue_key(queue), after, "+inf", start=0, num=limit, withscores=True)
            found: list[list[tuple[bytes, float]]] = await pipe.execute()
    due = sorted((score, job_id) for jobs in found for job_id, score in jobs)[:limit]
    statuses = await tasks.find_statuses([job_id.decode(errors="replace") for _, job_id in due])
    return tuple(status for status in statuses.values() if not status.ready and status.due_at is not None)


async def list_waiting(tasks: TaskQueue, *, limit: int = 100) -> tuple[JobInfo, ...]:
    """The jobs that are due and that nobody runs yet, those that have been due longest first.

    Args:
        tasks: the queue.
        limit: at most so many, up to `MAX_LISTED_JOBS`.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    limit = min(limit, MAX_LISTED_JOBS)
    with redis_errors():
        due = sorted([job for queue in Queue for job in await _due_in(tasks, queue, limit)])[:limit]
    statuses = await tasks.find_statuses([job_id.decode(errors="replace") for _, job_id in due])
    return tuple(
        status
        for status in statuses.values()
        # What has been taken between the two looks waits no longer.
        if not status.ready and status.status is not JobStatus.RUNNING
    )


async def _due_in(tasks: TaskQueue, queue: Queue, limit: int) -> list[tuple[float, bytes]]:
    seconds, micros = await tasks.redis.time()
    found, looked_at = list[tuple[float, bytes]](), 0
    while len(found) < limit:
        jobs: list[tuple[bytes, float]] = await tasks.redis.zrangebyscore(
            keys.queue_key(queue),
            "-inf",
            seconds * 1000 + micros // 1000,
            start=looked_at,
            num=MAX_LISTED_JOBS,
            withscores=True,
        )
        if not jobs:
            break
        # arq leaves jobs that run in the queue's set.
        owners = await tasks.redis.mget(
            [keys.in_progress_key(job_id.decode(errors="replace")) for job_id, _ in jobs]
        )
        found += [(due, job_id) for (job_id, due), owner in zip(jobs, owners, strict=True) if owner is None]
        looked_at += len(jobs)
    return found[:limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeclaredTask:
    """A task that no live worker declares, although jobs of it wait.

    Attributes:
        task: its name.
        queue: where its jobs wait.
        waiting: how many of them were found.
        since: when the first of them was enqueued; None where nobody knows.
    """

    task: str
    queue: Queue
    waiting: int
    since: datetime | None


async def list_undeclared(
    tasks: TaskQueue, workers: Sequence[LiveWorker], queues: Sequence[QueueState]
) -> tuple[UndeclaredTask, ...]:
    """The tasks of waiting jobs that no live worker declares, as far as the oldest jobs tell.

    Workers pass over such a job at first, so it waits beside workers that are free.

    Args:
        tasks: the queue's access.
        workers: those that live; without any, nothing is found, as then all jobs wait.
        queues: all of them; where no job waits, Redis is not asked again.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    declared = {name for worker in workers for name in worker.tasks}
    if not declared or not any(queue.waiting for queue in queues):
        return ()
    found = dict[tuple[str, Queue], list[JobInfo]]()
    for status in await list_waiting(tasks):
        if status.task is not None and status.queue is not None and status.task not in declared:
            found.setdefault((status.task, status.queue), []).append(status)
    return tuple(
        UndeclaredTask(
            task=task,
            queue=queue,
            waiting=len(jobs),
            since=min((job.enqueued_at for job in jobs if job.enqueued_at is not None), default=None),
        )
        for (task, queue), jobs in sorted(found.items())
    )


async def list_registered(tasks: TaskQueue) -> dict[str, tuple[str, ...]]:
    """The ids of the live workers that know each task, by its name.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    workers = await tasks.live_workers()
    names = sorted({name for worker in workers for name in worker.tasks})
    return {name: tuple(worker.worker_id for worker in workers if name in worker.tasks) for name in names}


async def get_declared_task(tasks: TaskQueue, name: str) -> TaskDeclaration[TaskArguments]:
    """A task by its name; where only live workers know it, the error says so.

    Raises:
        InvalidInput: there is no such task, or this program was started before it was added.
        RedisUnavailable: Redis does not answer, and this program does not know the task.
    """
    try:
        return get_task(name)
    except InvalidInput:
        workers = (await list_registered(tasks)).get(name)
        if not workers:
            raise
    raise InvalidInput(
        f"workers declare the task {name!r}, but this program was started before it was added: "
        f"restart this program (workers: {', '.join(sorted(workers))})",
        field="task",
    )
