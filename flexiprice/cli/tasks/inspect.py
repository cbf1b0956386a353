"""`flexiprice active | scheduled | registered | workers | queues`: shows the current state of the queue."""

from datetime import datetime
from typing import Annotated

import typer

from flexiprice.cli.broker import command_settings, with_jobs
from flexiprice.cli.console import JsonOption, escaped, format_time, new_table, output, print_json
from flexiprice.cli.durations import short
from flexiprice.queue.admin.inspect import MAX_LISTED_JOBS, list_active, list_deferred, list_registered
from flexiprice.queue.admin.queues import list_queues
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.broker import JobBroker
from flexiprice.queue.progress import Progress
from flexiprice.queue.redis.clock import redis_now
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.schedule_state import ScheduleState
from flexiprice.queue.status import JobInfo
from flexiprice.queue.worker.heartbeat import LiveWorker

_MEBIBYTE = 1024 * 1024


def active(*, as_json: JsonOption = False) -> None:
    """Show the running jobs, the longest-running first."""

    async def use(broker: JobBroker) -> tuple[datetime, tuple[JobInfo, ...]]:
        found = await list_active(broker.tasks)
        with redis_errors():
            return await redis_now(broker.redis), found

    now, found = with_jobs(command_settings(), use)
    if as_json:
        print_json(found)
        return
    table = new_table(
        "job", "task", "queue", "worker", "try", "running", "progress", numbers=("try", "running")
    )
    for job in found:
        table.add_row(
            escaped(job.job_id),
            escaped(job.task),
            job.queue,
            escaped(job.worker_id),
            str(job.attempt),
            short(None if job.started_at is None else now - job.started_at),
            escaped(format_progress(job.progress)),
        )
    output().print(table if found else "No job runs.")


def scheduled(
    *,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LISTED_JOBS, help="Show at most this many deferred jobs.")
    ] = 100,
    as_json: JsonOption = False,
) -> None:
    """Show the deferred jobs, and the next tick of each schedule."""

    async def use(broker: JobBroker) -> tuple[tuple[JobInfo, ...], tuple[ScheduleState, ...]]:
        return (
            await list_deferred(broker.tasks, limit=limit),
            await list_schedules(broker.tasks),
        )

    deferred, schedules = with_jobs(command_settings(), use)
    schedules = tuple(sorted(schedules, key=lambda schedule: schedule.next_tick_at))
    if as_json:
        print_json({"deferred": deferred, "ticks": [_tick(schedule) for schedule in schedules]})
        return
    ticks = new_table("schedule", "next tick", "crontab", "")
    for schedule in schedules:
        paused = "" if schedule.paused_at is None else "[yellow]paused[/]"
        ticks.add_row(
            escaped(schedule.name), format_time(schedule.next_tick_at), escaped(schedule.crontab), paused
        )
    output().print(ticks)
    if not deferred:
        output().print("No job is deferred.")
        return
    table = new_table("job", "task", "queue", "due", "status")
    for job in deferred:
        table.add_row(escaped(job.job_id), escaped(job.task), job.queue, format_time(job.due_at), job.status)
    output().print(table)


def _tick(schedule: ScheduleState) -> dict[str, object]:
    return {
        "name": schedule.name,
        "task": schedule.task,
        "next_tick_at": schedule.next_tick_at,
        "paused": schedule.paused_at is not None,
    }


def registered(*, as_json: JsonOption = False) -> None:
    """Show the tasks that live workers declare, and those workers."""
    found = with_jobs(command_settings(), lambda broker: list_registered(broker.tasks))
    if as_json:
        print_json([{"task": task, "worker_ids": worker_ids} for task, worker_ids in found.items()])
        return
    table = new_table("task", "workers")
    for task, worker_ids in found.items():
        table.add_row(escaped(task), escaped(", ".join(worker_ids)))
    output().print(table if found else "No worker is alive.")


def workers(*, as_json: JsonOption = False) -> None:
    """Show the live workers, as of their latest heartbeats."""

    async def use(broker: JobBroker) -> tuple[LiveWorker, ...]:
        return await broker.tasks.live_workers()

    found = with_jobs(command_settings(), use)
    if as_json:
        print_json(found)
    else:
        show_workers(found)


def show_workers(found: tuple[LiveWorker, ...]) -> None:
    """Prints a table of live workers."""
    numbers = ("running", "succeeded", "failed", "retried", "memory", "CPU", "lag", "up")
    table = new_table("worker", "status", "queues", *numbers, numbers=numbers)
    for worker in found:
        table.add_row(
            escaped(worker.worker_id),
            worker.status.value,
            ", ".join(worker.queues),
            str(len(worker.running)),
            str(worker.succeeded),
            str(worker.failed),
            str(worker.retried),
            f"{worker.memory_bytes / _MEBIBYTE:.0f} MiB",
            f"{worker.cpu:.0%}",
            f"{worker.loop_lag_seconds * 1000:.1f} ms",
            short(worker.seen_at - worker.started_at),
        )
    output().print(table if found else "No worker is alive.")


def queues(*, as_json: JsonOption = False) -> None:
    """Show the waiting, deferred and running jobs of each queue, and which queues are paused."""
    found = with_jobs(command_settings(), lambda broker: list_queues(broker.tasks))
    if as_json:
        print_json(found)
        return
    numbers = ("waiting", "deferred", "running", "oldest")
    table = new_table("queue", *numbers, "", numbers=numbers)
    for queue in found:
        paused = "" if queue.paused_at is None else f"[yellow]paused[/] by {escaped(queue.paused_by)}"
        counts = (queue.waiting, queue.deferred, queue.running)
        table.add_row(queue.queue, *map(str, counts), short(queue.oldest_waiting), paused)
    output().print(table)


def format_progress(progress: Progress | None) -> str:
    """Formats a job's progress, such as `30 of 100 priced`."""
    if progress is None:
        return ""
    total = "" if progress.total is None else f" of {progress.total:,}"
    return f"{progress.done:,}{total} {progress.message or ''}".rstrip()
