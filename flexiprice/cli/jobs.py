"""Jobs as commands handle them: enqueued, followed until they end, shown."""

from collections.abc import Mapping
from datetime import timedelta
from typing import cast

import typer

from flexiprice.cli.connections import with_jobs
from flexiprice.cli.console import instant, output, plain, print_json, remarks
from flexiprice.errors import RedisUnavailable
from flexiprice.jobs.client import EnqueuedJob, TaskQueue
from flexiprice.jobs.declarations import RECOMPUTE_ALL_DISCOUNTS, TaskArguments, TaskDeclaration
from flexiprice.jobs.status import JobStatus, RunStatus
from flexiprice.resources import JobBroker
from flexiprice.settings import Queue, Settings

_LOOK_EVERY = timedelta(seconds=1)


def run_job(
    settings: Settings,
    task: TaskDeclaration[TaskArguments],
    arguments: Mapping[str, object],
    *,
    wait: bool,
    as_json: bool,
) -> None:
    """Enqueues a job for the workers; where asked, waits for it and shows what came of it.

    Raises:
        Exit: the job failed.
        RedisUnavailable: Redis does not answer.
    """

    async def use(broker: JobBroker) -> EnqueuedJob | JobStatus:
        job = await broker.tasks.enqueue(task, arguments=arguments)
        await _remark_on_absent_worker(broker.tasks, job.queue)
        return await follow(broker.tasks, job.job_id) if wait else job

    outcome = with_jobs(settings, use)
    if isinstance(outcome, JobStatus):
        show_status(outcome, as_json=as_json)
        exit_where_failed(outcome)
    elif as_json:
        print_json(outcome)
    else:
        output().print(
            f"{outcome.task} is enqueued. To see what comes of it: flexiprice status {outcome.job_id}"
        )


def reprice(settings: Settings) -> EnqueuedJob | None:
    """Enqueues a recompute after a change to what is priced; None, with a remark, where Redis is away.

    The change is kept either way: the next scheduled recompute finds it.
    """
    if settings.redis_url is None:
        return None

    async def use(broker: JobBroker) -> EnqueuedJob:
        return await broker.tasks.enqueue(
            RECOMPUTE_ALL_DISCOUNTS, arguments={"days_threshold": settings.days_threshold}
        )

    try:
        return with_jobs(settings, use)
    except RedisUnavailable as error:
        remarks().print(f"[yellow]Not repriced yet:[/] {plain(error.message)}", "The next recompute does it.")
        return None


async def follow(tasks: TaskQueue, job_id: str) -> JobStatus:
    """Waits until a job has ended, showing meanwhile where it is.

    Raises:
        NotFound: there is no such job.
    """
    with remarks().status("Waiting for the job …") as spinner:
        while not (status := await tasks.wait(job_id, _LOOK_EVERY)).ready:
            spinner.update(f"{plain(status.task)} is {status.status} …")
    return status


def show_status(status: JobStatus, *, as_json: bool) -> None:
    """Writes what is known of a job."""
    if as_json:
        print_json(status)
        return
    colour = {RunStatus.SUCCEEDED: "green", RunStatus.FAILED: "red", RunStatus.REVOKED: "yellow"}.get(
        status.status
    )
    name = f"[{colour}]{status.status}[/]" if colour else status.status.value
    console = output()
    console.print(f"{plain(status.task)} [bold]{name}[/]  {plain(status.job_id)}")
    for label, moment in (
        ("enqueued", status.enqueued_at),
        ("started", status.started_at),
        ("finished", status.finished_at),
    ):
        if moment is not None:
            console.print(f"  {label:<9} {instant(moment)}", style="dim")
    if status.attempt > 1:
        console.print(f"  attempt   {status.attempt}", style="dim")
    if status.error is not None:
        console.print(f"  {status.error.code}: {plain(status.error.message)}", style="red")
    if isinstance(status.result, Mapping):
        for fact, value in cast("Mapping[str, object]", status.result).items():
            shown = f"{value:.3f}" if isinstance(value, float) else plain(value)
            console.print(f"  {fact.replace('_', ' ')}: {shown}")


def exit_where_failed(status: JobStatus) -> None:
    """Ends the command with exit code 1 where a job has not succeeded."""
    if status.status in {RunStatus.FAILED, RunStatus.REVOKED}:
        raise typer.Exit(1)


async def _remark_on_absent_worker(tasks: TaskQueue, queue: Queue) -> None:
    if not any(queue in worker.queues for worker in await tasks.live_workers()):
        remarks().print(
            f"[yellow]No worker consumes the queue {queue.value}:[/] the job waits until one does. "
            "`flexiprice worker` starts one."
        )
