"""`flexiprice status`: shows or follows a job."""

from typing import Annotated

import typer

from flexiprice.cli.broker import command_settings, with_jobs
from flexiprice.cli.console import JsonOption
from flexiprice.cli.options import TimeoutOption, WaitOption
from flexiprice.cli.tasks.jobs import exit_where_not_succeeded, follow, show_status
from flexiprice.cli.wait_options import WaitOptions
from flexiprice.queue.broker import JobBroker
from flexiprice.queue.status import JobInfo


def status(
    *,
    task_id: Annotated[
        str, typer.Argument(help="Id of the job, as `recompute` and the API return it.", metavar="TASK_ID")
    ],
    wait: WaitOption = False,
    timeout: TimeoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the status of a job: deferred, queued, running, retrying, succeeded, failed or revoked.

    With `--wait` the exit code is 1 if the job did not succeed.
    """
    wait_options = WaitOptions.of_options(wait=wait, timeout=timeout)

    async def use(broker: JobBroker) -> JobInfo:
        return (
            await follow(broker.tasks, task_id, wait_options) if wait else await broker.tasks.status(task_id)
        )

    found = with_jobs(command_settings(), use)
    show_status(found, as_json=as_json)
    if wait:
        exit_where_not_succeeded(found)
