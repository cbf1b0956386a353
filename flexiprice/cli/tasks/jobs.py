"""Follows jobs until they finish, and shows their status."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final, cast

import typer

from flexiprice.cli.console import escaped, format_time, output, print_json, stderr
from flexiprice.cli.wait_options import WaitOptions
from flexiprice.errors import NotFound, RedisUnavailable
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.status import JobInfo, JobStatus
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.settings import Queue

# A wait without `--timeout` ends after this many polls, one a second, without a worker for the job.
_POLL_SECONDS: Final = 1.0
_POLLS_WITHOUT_WORKER: Final = 5


async def follow(tasks: TaskQueue, job_id: str, wait_options: WaitOptions) -> JobInfo:
    """Waits until a job finishes or the timeout passes, and shows its progress meanwhile.

    Raises:
        NotFound: there is no such job.
    """
    # Only here, because `status` without `--wait` should start at once.
    from rich import progress as rich_progress  # noqa: PLC0415

    console = stderr()
    with rich_progress.Progress(
        rich_progress.SpinnerColumn(),
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.TextColumn("{task.fields[message]}"),
        rich_progress.TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        shown = bar.add_task("Waiting for the job …", total=None, message="")
        status = await tasks.status(job_id)
        with suppress(TimeoutError):
            async with (
                asyncio.timeout(wait_options.seconds),
                _giving_up_without_worker(tasks, job_id, wait_options),
                aclosing(tasks.follow(job_id)) as changes,
            ):
                async for status in changes:
                    progress = status.progress
                    bar.update(
                        shown,
                        description=f"{escaped(status.task)} is {status.status} …",
                        completed=0 if progress is None else progress.done,
                        total=None if progress is None else progress.total,
                        message="" if progress is None else escaped(progress.message),
                    )
    return status


def show_status(status: JobInfo, *, as_json: bool) -> None:
    """Prints the status of a job."""
    if as_json:
        print_json(status)
        return
    colour = {JobStatus.SUCCEEDED: "green", JobStatus.FAILED: "red", JobStatus.REVOKED: "yellow"}.get(
        status.status
    )
    name = f"[{colour}]{status.status}[/]" if colour else status.status.value
    console = output()
    console.print(f"{escaped(status.task)} [bold]{name}[/]  {escaped(status.job_id)}")
    for label, moment in (
        ("enqueued", status.enqueued_at),
        ("started", status.started_at),
        ("finished", status.finished_at),
    ):
        if moment is not None:
            console.print(f"  {label:<9} {format_time(moment)}", style="dim")
    if status.attempt > 1:
        console.print(f"  attempt   {status.attempt}", style="dim")
    if status.error is not None:
        console.print(f"  {status.error.code}: {escaped(status.error.message)}", style="red")
    if isinstance(status.result, Mapping):
        for fact, value in cast("Mapping[str, object]", status.result).items():
            shown = f"{value:.3f}" if isinstance(value, float) else escaped(value)
            console.print(f"  {fact.replace('_', ' ')}: {shown}")


@asynccontextmanager
async def _giving_up_without_worker(
    tasks: TaskQueue, job_id: str, wait_options: WaitOptions
) -> AsyncGenerator[None]:
    """Ends a wait without a timeout where no worker can start the job.

    Raises:
        TimeoutError: for some seconds, no live worker has consumed the queue of the waiting job.
    """
    if wait_options.longest is not None:
        yield
        return
    async with asyncio.timeout(None) as timeout:

        async def watch() -> None:
            polls_without_worker = 0
            while polls_without_worker < _POLLS_WITHOUT_WORKER:
                await asyncio.sleep(_POLL_SECONDS)
                status = await tasks.status(job_id)
                waits = status.status in {JobStatus.QUEUED, JobStatus.RETRYING}
                served = is_served(await tasks.live_workers(), status.queue)
                polls_without_worker = 0 if served or not waits else polls_without_worker + 1
            stderr().print("[yellow]Waiting ends:[/] no live worker consumes the job's queue.")
            timeout.reschedule(asyncio.get_running_loop().time())

        async def watch_while_redis_answers() -> None:
            with suppress(RedisUnavailable, NotFound):
                await watch()

        watching = asyncio.create_task(watch_while_redis_answers())
        try:
            yield
        finally:
            await cancel_and_wait(watching)


def is_served(workers: Iterable[LiveWorker], queue: Queue | None) -> bool:
    """Returns whether any of the workers takes jobs from a queue; None stands for an unknown queue."""
    return any(worker.takes_jobs and (queue is None or queue in worker.queues) for worker in workers)


def exit_where_not_succeeded(status: JobInfo) -> None:
    """Ends the command where a job that it waited for has not succeeded.

    Raises:
        Exit: with code 1, the job failed, was revoked, or has not finished in time.
    """
    if not status.ready:
        stderr().print(
            f"[yellow]The job has not finished in time:[/] it is {status.status}, and continues. "
            f"`flexiprice status {escaped(status.job_id)} --wait` waits again."
        )
    if status.status is not JobStatus.SUCCEEDED:
        raise typer.Exit(1)
