"""`flexiprice schedule`: lists, pauses, resumes and runs schedules."""

from typing import Annotated

import typer

from flexiprice.cli.access.audit import perform
from flexiprice.cli.access.operator import cli_source, operator
from flexiprice.cli.broker import command_settings, with_jobs
from flexiprice.cli.console import JsonOption, escaped, format_time, new_table, output, print_json, stderr
from flexiprice.cli.json_words import record_in_api_words
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.status import JobStatus

app = typer.Typer(name="schedule", help="List, pause, resume and run the schedules.", no_args_is_help=True)
ScheduleName = Annotated[str, typer.Argument(help="Name of the schedule.", metavar="NAME")]


@app.command("list")
def list_all(*, as_json: JsonOption = False) -> None:
    """Show the schedules, their next ticks, and which are paused."""
    found = with_jobs(command_settings(), lambda broker: list_schedules(broker.tasks))
    if as_json:
        print_json(found)
        return
    table = new_table("schedule", "crontab", "zone", "last tick", "next tick", "")
    for schedule in found:
        paused = "" if schedule.paused_at is None else f"[yellow]paused[/] by {escaped(schedule.paused_by)}"
        table.add_row(
            escaped(schedule.name),
            escaped(schedule.crontab),
            escaped(schedule.time_zone),
            format_time(schedule.last_tick_at),
            format_time(schedule.next_tick_at),
            paused,
        )
    output().print(table)
    for schedule in found:
        if schedule.disagreement is not None:
            stderr().print(f"Workers disagree on {escaped(schedule.name)}: {escaped(schedule.disagreement)}")
    if not all(schedule.is_published for schedule in found):
        names = ", ".join(schedule.name for schedule in found if not schedule.is_published)
        stderr().print(f"No live worker ticks {names}: the settings of this terminal are shown.")


@app.command()
def pause(*, name: ScheduleName, as_json: JsonOption = False) -> None:
    """Let the ticks of a schedule pass without a run, on all workers, until it is resumed."""
    changed = perform(command_settings(), operations.pause_schedule(name, by=operator()))
    _show(name, changed, "paused", as_json=as_json)


@app.command()
def resume(*, name: ScheduleName, as_json: JsonOption = False) -> None:
    """Let a schedule tick again; the ticks that passed meanwhile do not run."""
    changed = perform(command_settings(), operations.resume_schedule(name))
    _show(name, changed, "not paused", as_json=as_json)


@app.command()
def run(*, name: ScheduleName, as_json: JsonOption = False) -> None:
    """Enqueue now what a schedule runs, paused or not; its ticks stay as they are."""
    job = perform(command_settings(), operations.run_schedule(name, source=cli_source()))
    if as_json:
        print_json(record_in_api_words(job) | {"status": JobStatus.QUEUED})
    else:
        output().print(
            f"{job.task} is enqueued. To see what comes of it: flexiprice status {escaped(job.job_id)}"
        )


def _show(name: str, changed: bool, state: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, "changed": changed})
    else:
        output().print(f"{escaped(name)} is {state}{'.' if changed else ', as it was before.'}")
