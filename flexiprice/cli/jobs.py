"""Jobs as commands handle them: enqueued, followed until they end, shown."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import cast

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from flexiprice.cli.audit import cli_origin
from flexiprice.cli.connections import with_jobs
from flexiprice.cli.console import instant, output, plain, print_json, remarks
from flexiprice.errors import RedisUnavailable
from flexiprice.jobs.client import EnqueuedJob, TaskQueue
from flexiprice.jobs.declarations import RECOMPUTE_ALL_DISCOUNTS, TaskArguments, TaskDeclaration
from flexiprice.jobs.status import JobStatus, RunStatus
from flexiprice.resources import JobBroker
from flexiprice.settings import Queue, Settings


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

    async def use(broker: JobBroker) -> EnqueuedJob:
        return await broker.tasks.enqueue(task, arguments=arguments, origin=cli_origin())

    show_job(settings, with_jobs(settings, use), wait=wait, as_json=as_json)


def show_job(settings: Settings, job: EnqueuedJob, *, wait: bool, as_json: bool) -> None:
    """Shows a job that has just been enqueued, or waits for it and shows what came of it.

    Raises:
        Exit: the job failed.
        RedisUnavailable: Redis does not answer.
    """

    async def use(broker: JobBroker) -> JobStatus | None:
        await _remark_on_absent_worker(broker.tasks, job.queue)
        return await follow(broker.tasks, job.job_id) if wait else None

    status = with_jobs(settings, use)
    if status is not None:
        show_status(status, as_json=as_json)
        exit_where_failed(status)
    elif as_json:
        print_json(job)
    else:
        output().print(f"{job.task} is enqueued. To see what comes of it: flexiprice status {job.job_id}")


def reprice(settings: Settings) -> EnqueuedJob | None:
    """Enqueues a recompute after a change to what is priced; None, with a remark, where Redis is away.

    The change is kept either way: the next scheduled recompute finds it.
    """
    if settings.redis_url is None:
        return None

    async def use(broker: JobBroker) -> EnqueuedJob:
        return await broker.tasks.enqueue(
            RECOMPUTE_ALL_DISCOUNTS,
            arguments={"days_threshold": settings.days_threshold},
            origin=cli_origin(),
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
    console = remarks()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        shown = bar.add_task("Waiting for the job …", total=None, told="")
        status = await tasks.status(job_id)
        async with aclosing(tasks.follow(job_id)) as changes:
            async for status in changes:
                come = status.progress
                bar.update(
                    shown,
                    description=f"{plain(status.task)} is {status.status} …",
                    completed=0 if come is None else come.done,
                    total=None if come is None else come.total,
                    told="" if come is None else plain(come.message),
                )
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
