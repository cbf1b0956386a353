"""`flexiprice run`: a task by its name."""

import json
from datetime import timedelta
from typing import Annotated

import typer

from flexiprice.cli.audit import change, cli_origin
from flexiprice.cli.connections import command_settings
from flexiprice.cli.console import JsonOption
from flexiprice.cli.durations import duration
from flexiprice.cli.jobs import show_job
from flexiprice.cli.options import WaitOption
from flexiprice.jobs.client import EnqueuedJob
from flexiprice.jobs.tasks import TASKS, get_task
from flexiprice.resources import Resources


def run(
    *,
    task: Annotated[str, typer.Argument(help="Name of the task.", metavar="TASK")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help="Its arguments, such as days_threshold=14; values may be JSON.", metavar="KEY=VALUE"
        ),
    ] = None,
    defer_by: Annotated[
        timedelta | None,
        typer.Option(parser=duration, metavar="TIME", help="Let it wait: 90s, 15m, 2h, 1d."),
    ] = None,
    expires: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration, metavar="TIME", help="Let it fail if no worker has started it after so long."
        ),
    ] = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Enqueue a task by its name.

    With `--wait` the exit code is 1 where it did not succeed.
    """
    settings = command_settings()
    declaration = get_task(task)
    given = dict(_argument(typed) for typed in arguments or ())

    async def enqueue(resources: Resources) -> EnqueuedJob:
        return await resources.tasks.enqueue(
            declaration, arguments=given, defer_by=defer_by, expires=expires, origin=cli_origin()
        )

    job = change(settings, "run_task", task, enqueue, told=lambda job: {"task_id": job.job_id})
    show_job(settings, job, wait=wait, as_json=as_json)


def _argument(typed: str) -> tuple[str, object]:
    name, separator, value = typed.partition("=")
    if not separator or not name:
        raise typer.BadParameter(f"{typed}: must be KEY=VALUE", param_hint="arguments")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


run.__doc__ = f"{run.__doc__}\n\n    Tasks: {', '.join(task.name for task in TASKS)}."
