"""`flexiprice revoke | retry | purge | pause-queue | resume-queue`: controls jobs and queues."""

from collections.abc import Sequence
from typing import Annotated

import typer

from flexiprice.cli.access.audit import perform
from flexiprice.cli.access.operator import cli_source, operator
from flexiprice.cli.broker import command_settings, with_jobs
from flexiprice.cli.console import JsonOption, escaped, output, print_json
from flexiprice.plurals import counted
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.queues import list_queues
from flexiprice.queue.admin.retry import Retried, RetryOutcome
from flexiprice.queue.admin.revoke import RevokeOutcome
from flexiprice.settings import Queue

JobIds = Annotated[list[str], typer.Argument(help="Ids of jobs.", metavar="TASK_ID...")]
QueueName = Annotated[Queue, typer.Argument(help="Name of the queue.", metavar="NAME")]
_STOPPED = (RevokeOutcome.PREVENTED, RevokeOutcome.CANCELLED)


def revoke(*, task_ids: JobIds, as_json: JsonOption = False) -> None:
    """Revoke jobs: waiting jobs never start, running jobs are cancelled.

    Waits some seconds for running jobs to stop. The exit code is 1 if any of the jobs was not stopped:
    it had finished, is unknown, or has not confirmed the cancellation.
    """
    answers = perform(command_settings(), operations.revoke_tasks(task_ids))
    if as_json:
        print_json(answers)
    else:
        for answer in answers:
            output().print(f"{escaped(answer.job_id)}: {escaped(answer.message)}")
    if any(answer.outcome not in _STOPPED for answer in answers):
        raise typer.Exit(1)


def retry(*, task_ids: JobIds, as_json: JsonOption = False) -> None:
    """Retry finished jobs: enqueue each again with the same arguments, as a child job.

    The exit code is 1 if any of them could not be retried.
    """
    answers = perform(command_settings(), operations.retry_tasks(task_ids, source=cli_source()))
    show_retried(answers, as_json=as_json)


def show_retried(answers: Sequence[Retried], *, as_json: bool) -> None:
    """Prints the outcome of each retry.

    Raises:
        Exit: with code 1, a job could not be retried.
    """
    if as_json:
        print_json(answers)
    else:
        for answer in answers:
            new = "" if answer.new_job_id is None else f" as {escaped(answer.new_job_id)}"
            output().print(f"{escaped(answer.job_id)}: {escaped(answer.message)}{new}")
    if any(answer.outcome is not RetryOutcome.ENQUEUED for answer in answers):
        raise typer.Exit(1)


def purge_queues(
    *,
    queue: Annotated[
        list[Queue] | None, typer.Option(help="Only this queue; may be repeated. [default: all]")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Revoke all waiting and deferred jobs; running jobs are not affected."""
    settings = command_settings()
    wanted = tuple(dict.fromkeys(queue or Queue))
    if not yes:
        states = with_jobs(settings, lambda broker: list_queues(broker.tasks))
        waiting = sum(state.waiting + state.deferred for state in states if state.queue in wanted)
        typer.confirm(
            f"Revoke {counted(waiting, 'waiting job')} in {', '.join(wanted)}?", abort=True, err=True
        )
    purged = perform(settings, operations.purge_tasks(wanted))
    if as_json:
        print_json({"purged": sum(purged.values()), "by_queue": purged})
    else:
        each = ", ".join(f"{name}: {count:,}" for name, count in purged.items())
        output().print(f"Revoked {counted(sum(purged.values()), 'job')} ({each}).")


def pause_one_queue(*, name: QueueName, as_json: JsonOption = False) -> None:
    """Pause a queue: workers stop claiming its jobs; running jobs finish."""
    changed = perform(command_settings(), operations.pause_queue(name, by=operator()))
    _show_queue(name, changed, "paused", as_json=as_json)


def resume_one_queue(*, name: QueueName, as_json: JsonOption = False) -> None:
    """Resume a queue: workers claim its jobs again."""
    changed = perform(command_settings(), operations.resume_queue(name))
    _show_queue(name, changed, "not paused", as_json=as_json)


def _show_queue(name: Queue, changed: bool, state: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"queue": name, "changed": changed})
    else:
        output().print(f"{name} is {state}{'.' if changed else ', as it was before.'}")
