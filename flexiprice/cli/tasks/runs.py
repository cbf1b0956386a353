"""`flexiprice runs | stats`: shows the run history and its statistics."""

from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.cli.broker import command_settings
from flexiprice.cli.connections import in_transaction, with_resources
from flexiprice.cli.console import JsonOption, escaped, format_time, new_table, output, print_json
from flexiprice.cli.durations import duration, short
from flexiprice.cli.json_words import further_facts
from flexiprice.cli.tasks.inspect import show_workers
from flexiprice.db.clock import database_now
from flexiprice.domain.run import RunStatus
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.resources import Resources
from flexiprice.runs.query import Run, RunFilter, list_runs
from flexiprice.runs.statistics import Percentiles, TaskStatistics, get_run_statistics

SinceOption = Annotated[
    timedelta,
    typer.Option("--since", parser=duration, metavar="TIME", help="How far to look back: 90s, 15m, 2h, 1d."),
]
_COLOURS = {
    RunStatus.SUCCEEDED: "green",
    RunStatus.FAILED: "red",
    RunStatus.LOST: "red",
    RunStatus.REVOKED: "yellow",
}
_DAY = timedelta(days=1)


def runs(
    *,
    task: Annotated[str | None, typer.Option(help="Only runs of this task.", metavar="TASK")] = None,
    status: Annotated[
        list[RunStatus] | None, typer.Option(help="Only runs of this status; may be repeated.")
    ] = None,
    since: SinceOption = _DAY,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Show at most this many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Show the run history, the latest run first; each attempt of a job is a run."""

    async def use(session: AsyncSession) -> tuple[Run, ...]:
        begun_since = await database_now(session) - since
        wanted = RunFilter(task=task, statuses=tuple(status or ()), since=begun_since)
        return await list_runs(session, wanted, limit=limit)

    found = in_transaction(command_settings(), use)
    if as_json:
        print_json(found)
        return
    table = new_table(
        "started", "task", "status", "trigger", "waited", "ran", "job", "error", numbers=("waited", "ran")
    )
    for run in found:
        colour = _COLOURS.get(run.status)
        table.add_row(
            format_time(run.started_at),
            escaped(run.task),
            f"[{colour}]{run.status}[/]" if colour else run.status.value,
            "" if run.trigger is None else run.trigger.replace("_", " "),
            short(run.waited),
            short(run.ran),
            escaped(run.job_id),
            escaped(run.error_code),
        )
    output().print(table if found else "Nothing has run in that time.")


def stats(*, since: SinceOption = _DAY, as_json: JsonOption = False) -> None:
    """Show statistics of the live workers, and of the runs of each task."""

    async def use(resources: Resources) -> tuple[tuple[LiveWorker, ...], tuple[TaskStatistics, ...]]:
        async with resources.sessions.begin() as session:
            now = await database_now(session)
            figures = await get_run_statistics(session, since=now - since, until=now)
        return await resources.tasks.live_workers(), figures

    if not since:
        raise typer.BadParameter("must be longer than nothing", param_hint="--since")
    live, figures = with_resources(command_settings(), use)
    if as_json:
        print_json({"workers": live, "tasks": figures})
        return
    show_workers(live)
    if not figures:
        output().print("Nothing has run in that time.")
        return
    counts = ("runs", "succeeded", "failed", "per minute")
    times = ("wait p50", "p95", "p99", "run p50", "p95 ", "p99 ")
    table = new_table("task", *counts, *times, numbers=(*counts, *times))
    for of_task in figures:
        table.add_row(
            escaped(of_task.task),
            str(of_task.runs),
            str(of_task.by_status[RunStatus.SUCCEEDED]),
            str(of_task.by_status[RunStatus.FAILED]),
            f"{of_task.throughput_per_minute:.3g}",
            *_cells(of_task.wait),
            *_cells(of_task.duration),
        )
    output().print(table)


def _cells(found: Percentiles | None) -> tuple[str, str, str]:
    return ("", "", "") if found is None else (short(found.p50), short(found.p95), short(found.p99))


@further_facts.register
def _(record: TaskStatistics, shown: dict[str, object]) -> dict[str, object]:  # noqa: ARG001
    return {"failure_rate": record.failure_rate}


@further_facts.register
def _(record: Run, shown: dict[str, object]) -> dict[str, object]:  # noqa: ARG001
    code, message = shown.pop("error_code"), shown.pop("error_message")
    return {"error": None if code is None else {"code": code, "message": message or ""}}
