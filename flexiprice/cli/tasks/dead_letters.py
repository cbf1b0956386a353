"""`flexiprice dead-letters`: lists, retries and dismisses dead letters."""

from typing import Annotated

import typer

from flexiprice.cli.access.audit import perform
from flexiprice.cli.access.operator import cli_source
from flexiprice.cli.broker import command_settings, with_jobs
from flexiprice.cli.console import JsonOption, escaped, format_time, new_table, output, print_json
from flexiprice.cli.tasks.control import show_retried
from flexiprice.errors import InvalidInput
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.dead_letters import MAX_LISTED, count_dead_letters, list_dead_letters

app = typer.Typer(
    name="dead-letters",
    help="List, retry and dismiss dead letters: jobs that were given up, unreadable, unknown or failed.",
    no_args_is_help=True,
)
JobIds = Annotated[list[str] | None, typer.Argument(help="Ids of tasks.", metavar="TASK_ID...")]
All = Annotated[bool, typer.Option("--all", help="All dead letters that are listed.")]


@app.command("list")
def list_all(*, as_json: JsonOption = False) -> None:
    """Show the dead letters, the latest first."""
    found = with_jobs(command_settings(), lambda broker: list_dead_letters(broker.redis))
    if as_json:
        print_json(found)
        return
    if not found:
        output().print("No task needs a person.")
        return
    table = new_table(
        "task id", "task", "queue", "reason", "since", "lost workers", "why", numbers=("lost workers",)
    )
    for letter in found:
        table.add_row(
            escaped(letter.job_id),
            escaped(letter.task),
            escaped(letter.queue),
            letter.reason,
            format_time(letter.died_at),
            str(letter.losses or ""),
            escaped(letter.message),
        )
    output().print(table)
    if len(found) == MAX_LISTED:
        total = with_jobs(command_settings(), lambda broker: count_dead_letters(broker.redis)).total
        output().print(f"These are the latest {MAX_LISTED:,} of {total:,}.")


@app.command("retry")
def retry_some(*, task_ids: JobIds = None, every: All = False, as_json: JsonOption = False) -> None:
    """Enqueue dead letters again with the same arguments, and take them off the list.

    The exit code is 1 if any of them could not be retried.
    """
    wanted = _wanted(task_ids, every=every)
    answers = perform(command_settings(), operations.retry_dead_letters(wanted, source=cli_source()))
    show_retried(answers, as_json=as_json)


@app.command("dismiss")
def dismiss_some(*, task_ids: JobIds = None, every: All = False, as_json: JsonOption = False) -> None:
    """Take dead letters off the list for good; the run history keeps them."""
    wanted = _wanted(task_ids, every=every)
    dismissed = perform(command_settings(), operations.dismiss_dead_letters(wanted))
    if as_json:
        print_json({"dismissed": dismissed})
    else:
        output().print(f"{dismissed:,} dismissed.")


def _wanted(task_ids: list[str] | None, *, every: bool) -> list[str] | None:
    if every == bool(task_ids):
        raise InvalidInput("name the tasks by their ids, or give --all", field="task_ids")
    return task_ids
