"""Enqueues jobs for commands, and shows or awaits their results."""

from flexiprice.cli.access.audit import perform
from flexiprice.cli.access.operator import cli_source
from flexiprice.cli.broker import with_jobs
from flexiprice.cli.console import escaped, output, print_json, stderr
from flexiprice.cli.json_words import record_in_api_words
from flexiprice.cli.tasks.jobs import exit_where_not_succeeded, follow, is_served, show_status
from flexiprice.cli.wait_options import WaitOptions
from flexiprice.errors import RedisUnavailable
from flexiprice.queue.admin.operations import Operation
from flexiprice.queue.broker import JobBroker
from flexiprice.queue.client import EnqueuedJob, TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS
from flexiprice.queue.status import JobInfo
from flexiprice.settings import Queue, Settings


def run_job(
    settings: Settings, operation: Operation[EnqueuedJob], *, wait_options: WaitOptions, as_json: bool
) -> None:
    """Enqueues a job and records that in the audit log; where asked, waits for it and shows its result.

    Raises:
        Exit: the job failed, or has not finished in time.
        DatabaseUnavailable: PostgreSQL does not answer, and nothing was enqueued.
        RedisUnavailable: Redis does not answer.
    """
    job = perform(settings, operation)

    async def use(broker: JobBroker) -> JobInfo:
        await _remark_on_absent_worker(broker.tasks, job.queue)
        if wait_options.waits:
            return await follow(broker.tasks, job.job_id, wait_options)
        return await broker.tasks.status(job.job_id)

    status = with_jobs(settings, use)
    if wait_options.waits:
        show_status(status, as_json=as_json)
        exit_where_not_succeeded(status)
    elif as_json:
        print_json(record_in_api_words(job) | {"status": status.status})
    else:
        output().print(f"{job.task} is enqueued. To see what comes of it: flexiprice status {job.job_id}")


def reprice(settings: Settings) -> EnqueuedJob | None:
    """Enqueues a recompute after a change of prices' inputs; None, with a remark, where Redis is unavailable.

    The change is kept either way: the next scheduled recompute applies it.
    """
    if settings.redis_url is None:
        return None

    async def use(broker: JobBroker) -> EnqueuedJob:
        return await broker.tasks.enqueue(
            RECOMPUTE_ALL_DISCOUNTS,
            arguments={"days_threshold": settings.days_threshold},
            source=cli_source(),
        )

    try:
        return with_jobs(settings, use)
    except RedisUnavailable as error:
        stderr().print(
            f"[yellow]Not repriced yet:[/] {escaped(error.message)}",
            "The next scheduled recompute applies the change.",
        )
        return None


def repricing(job: EnqueuedJob | None, *, needed: bool = True) -> dict[str, object]:
    """Formats the result of `reprice` as the API shows it beside each change.

    Args:
        job: the job that `reprice` returned.
        needed: whether the change affects prices.
    """
    unqueued = "postponed" if needed else "not_needed"
    return {"status": unqueued if job is None else "queued", "task_id": job.job_id if job else None}


async def _remark_on_absent_worker(tasks: TaskQueue, queue: Queue) -> None:
    workers = await tasks.live_workers()
    if is_served(workers, queue):
        return
    absent = f"No worker takes from the queue {queue.value}" if workers else "No worker is running"
    stderr().print(f"[yellow]{absent}:[/] the job waits until one does. Start one with `flexiprice worker`.")
