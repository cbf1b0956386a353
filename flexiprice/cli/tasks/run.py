"""`flexiprice run`: enqueues a task by its name."""

import json
from datetime import timedelta
from typing import Annotated

import typer

from flexiprice.cli.access.audit import recording_refusals
from flexiprice.cli.access.operator import cli_source
from flexiprice.cli.broker import command_settings
from flexiprice.cli.console import JsonOption
from flexiprice.cli.durations import duration
from flexiprice.cli.options import TimeoutOption, WaitOption
from flexiprice.cli.tasks.enqueue import run_job
from flexiprice.cli.wait_options import WaitOptions
from flexiprice.queue.admin.operations import run_task
from flexiprice.queue.task_definitions import TASKS, get_task


def run(
    *,
    task: Annotated[str, typer.Argument(help="Name of the task.", metavar="TASK")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help="Arguments of the task, such as days_threshold=14; values may be JSON.", metavar="KEY=VALUE"
        ),
    ] = None,
    defer_by: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration, metavar="TIME", help="Start the job after this time: 90s, 15m, 2h, 1d."
        ),
    ] = None,
    expires: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration, metavar="TIME", help="Fail the job if no worker has started it within this time."
        ),
    ] = None,
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enqueue a task by its name.

    With `--wait` the exit code is 1 if the job did not succeed.
    """
    settings = command_settings()
    with recording_refusals(settings, "run_task", task):
        declared = get_task(task)
    operation = run_task(
        declared,
        dict(_argument(typed) for typed in arguments or ()),
        defer_by=defer_by,
        expires=expires,
        source=cli_source(),
    )
    wait_options = WaitOptions.of_options(wait=wait, timeout=timeout)
    run_job(settings, operation, wait_options=wait_options, as_json=as_json)


def _argument(typed: str) -> tuple[str, object]:
    name, separator, value = typed.partition("=")
    if not separator or not name:
        raise typer.BadParameter(f"{typed}: must be KEY=VALUE", param_hint="arguments")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


run.__doc__ = f"{run.__doc__}\n\n    Tasks: {', '.join(task.name for task in TASKS)}."
