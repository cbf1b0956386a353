"""A job that is done in parts: other jobs do the work, and no worker is held up meanwhile."""

from collections.abc import Mapping, Sequence

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import WorkerFenced
from flexiprice.queue.declarations import TaskArguments, TaskDeclaration
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobInfo
from flexiprice.queue.subjobs import part_ids, register_children
from workers.runtime.jobs.task import TaskContext


class ChildrenPending(Exception):
    """Ends a run whose job goes on when its parts have ended. Nothing is wrong.

    Attributes:
        parts: how many have yet to end.
    """

    def __init__(self, parts: int) -> None:
        super().__init__(f"{parts} parts have yet to end")
        self.parts = parts


async def fan_out(
    run: TaskContext, task: TaskDeclaration[TaskArguments], arguments: Sequence[Mapping[str, object]]
) -> Sequence[JobInfo]:
    """How the parts of a job ended; enqueues them first.

    A run that must wait for them ends here, and the job runs again when the last of them has ended. A body
    calls this once and changes nothing before; whatever it is killed at, no part is counted twice.

    Args:
        run: of the job.
        task: what the parts are jobs of.
        arguments: those of each part; the same whenever the job runs.

    Returns:
        The status of each part, in their order; all have ended, one way or the other.

    Raises:
        ChildrenPending: not all parts have ended. Only the worker's runtime may catch it.
        QueueFull: the queue has no room for all parts; the job is tried again.
        RedisUnavailable: Redis does not answer.
    """
    tasks = run.resources.tasks
    ids = part_ids(run.job_id, run.enqueued_at, len(arguments))
    parts = await register_children(tasks.redis, job_id=run.job_id, worker_id=run.worker_id, ids=ids)
    if parts is None:
        raise WorkerFenced(f"job {run.job_id} is another worker's", job_id=run.job_id)
    open_ids = [part_id for part_id in ids if parts.get(part_id) is None]
    # A worker of an earlier version may have ended one and known nothing of parts.
    known = dict(await tasks.find_statuses(open_ids))
    origin = JobSource(trigger=RunTrigger.TASK, parent_job_id=run.job_id)
    for part_id, of_part in zip(ids, arguments, strict=True):
        if part_id in open_ids and part_id not in known:
            await tasks.enqueue(task, arguments=of_part, job_id=part_id, origin=origin)
    ended = {part_id: parts.get(part_id) or known.get(part_id) for part_id in ids}
    statuses = [status for status in ended.values() if status is not None and status.ready]
    if len(statuses) < len(ids):
        raise ChildrenPending(len(ids) - len(statuses))
    return statuses
