"""Lists running, waiting and deferred jobs, and registered tasks."""

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
"""Maximum number of listed jobs."""


async def list_active(tasks: TaskQueue) -> tuple[JobInfo, ...]:
    """Lists the running jobs, the longest-running first.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    ids = [job_id for queue in Queue for job_id in (await get_queue(tasks, queue)).running_job_ids]
    running = [
        status
        for status in (await tasks.find_statuses(ids)).values()
        # A job may have finished between the two reads.
        if status.status is JobStatus.RUNNING
    ]
    return tuple(sorted(running, key=lambda job: (job.started_at is None, job.started_at, job.job_id)))


async def list_deferred(tasks: TaskQueue, *, limit: int = 100) -> tuple[JobInfo, ...]:
    """Lists the jobs that are not due yet, including retries, the next first.

    Args:
        tasks: the task queue.
        limit: maximum number of jobs, up to `MAX_LISTED_JOBS`.

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
    """Lists the due jobs that no worker runs yet, the oldest due time first.

    Args:
        tasks: the task queue.
        limit: maximum number of jobs, up to `MAX_LISTED_JOBS`.

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
        # A job may have been claimed between the two reads.
        if not status.ready and status.status is not JobStatus.RUNNING
    )


async def _due_in(tasks: TaskQueue, queue: Queue, limit: int) -> list[tuple[float, bytes]]:
    seconds, micros = await tasks.redis.time()
    found, offset = list[tuple[float, bytes]](), 0
    while len(found) < limit:
        jobs: list[tuple[bytes, float]] = await tasks.redis.zrangebyscore(
            keys.queue_key(queue),
            "-inf",
            seconds * 1000 + micros // 1000,
            start=offset,
            num=MAX_LISTED_JOBS,
            withscores=True,
        )
        if not jobs:
            break
        # arq leaves running jobs in the queue's set.
        owners = await tasks.redis.mget(
            [keys.in_progress_key(job_id.decode(errors="replace")) for job_id, _ in jobs]
        )
        found += [(due, job_id) for (job_id, due), owner in zip(jobs, owners, strict=True) if owner is None]
        offset += len(jobs)
    return found[:limit]


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeclaredTask:
    """A task with waiting jobs that no live worker declares.

    Attributes:
        task: the task's name.
        queue: the queue of its jobs.
        waiting: number of waiting jobs that were found.
        since: when the first of them was enqueued; None if unknown.
    """

    task: str
    queue: Queue
    waiting: int
    since: datetime | None


async def list_undeclared(
    tasks: TaskQueue, workers: Sequence[LiveWorker], queues: Sequence[QueueState]
) -> tuple[UndeclaredTask, ...]:
    """Finds tasks of the oldest waiting jobs that no live worker declares.

    Workers skip such jobs at first, so they wait although workers are idle.

    Args:
        tasks: the task queue.
        workers: the live workers; without any, the result is empty, because all jobs wait.
        queues: all queues; if no job waits, Redis is not read again.

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
    """Returns the ids of the live workers for each task name.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    workers = await tasks.live_workers()
    names = sorted({name for worker in workers for name in worker.tasks})
    return {name: tuple(worker.worker_id for worker in workers if name in worker.tasks) for name in names}


async def get_declared_task(tasks: TaskQueue, name: str) -> TaskDeclaration[TaskArguments]:
    """Returns a task by its name. If only workers know it, the error says so.

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
