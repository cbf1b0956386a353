"""Fans a job out to child jobs. The parent waits for them without occupying a worker."""

from collections.abc import Mapping, Sequence

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import WorkerFenced
from flexiprice.queue.declarations import TaskArguments, TaskDeclaration
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobInfo
from flexiprice.queue.subjobs import child_ids, register_children
from workers.runtime.jobs.task import TaskContext


class ChildrenPending(Exception):
    """Ends a run whose job resumes when its child jobs have finished. It is not a failure.

    Attributes:
        children: number of unfinished child jobs.
    """

    def __init__(self, children: int) -> None:
        super().__init__(f"{children} child jobs have not finished")
        self.children = children


async def fan_out(
    run: TaskContext, task: TaskDeclaration[TaskArguments], arguments: Sequence[Mapping[str, object]]
) -> Sequence[JobInfo]:
    """Enqueues the child jobs of a job, and returns their results when all have finished.

    A run with unfinished children ends here; the job runs again when the last child has finished. A body
    calls this once and changes nothing before. If it is killed at any point, no child is counted twice.

    Args:
        run: the run of the parent job.
        task: the task of the child jobs.
        arguments: the arguments of each child job; the same in every run of the parent.

    Returns:
        The status of each child job, in order. All are final.

    Raises:
        ChildrenPending: not all children have finished. Only the worker runtime may catch it.
        QueueFull: the queue has no room for all children; the parent is retried.
        RedisUnavailable: Redis does not answer.
    """
    tasks = run.resources.tasks
    ids = child_ids(run.job_id, run.enqueued_at, len(arguments))
    children = await register_children(tasks.redis, job_id=run.job_id, worker_id=run.worker_id, ids=ids)
    if children is None:
        raise WorkerFenced(f"job {run.job_id} is claimed by another worker", job_id=run.job_id)
    open_ids = [child_id for child_id in ids if children.get(child_id) is None]
    # A worker of an earlier version may have finished a child without recording it with its parent.
    known = dict(await tasks.find_statuses(open_ids))
    source = JobSource(trigger=RunTrigger.TASK, parent_job_id=run.job_id)
    for child_id, child_arguments in zip(ids, arguments, strict=True):
        if child_id in open_ids and child_id not in known:
            await tasks.enqueue(task, arguments=child_arguments, job_id=child_id, source=source)
    results = {child_id: children.get(child_id) or known.get(child_id) for child_id in ids}
    statuses = [status for status in results.values() if status is not None and status.ready]
    if len(statuses) < len(ids):
        raise ChildrenPending(len(ids) - len(statuses))
    return statuses
