"""`flexiprice worker`: runs a worker; `flexiprice worker drain | stop`: stops one."""

from typing import Annotated

import typer

from flexiprice.cli.access.audit import perform
from flexiprice.cli.broker import command_settings
from flexiprice.cli.console import JsonOption, escaped, output, print_json
from flexiprice.cli.serve.api import worker
from flexiprice.queue.admin.operations import drain_or_stop_worker
from flexiprice.queue.worker.heartbeat import WorkerCommand

app = typer.Typer(name="worker", invoke_without_command=True)
app.callback()(worker)
WorkerId = Annotated[str, typer.Argument(help="Id of the worker, as `flexiprice workers` shows it.")]


@app.command()
def drain(*, worker_id: WorkerId, as_json: JsonOption = False) -> None:
    """Drain a worker: it claims no more jobs, finishes its running jobs without a time limit, and exits."""
    _command(worker_id, WorkerCommand.DRAIN, as_json=as_json)


@app.command()
def stop(*, worker_id: WorkerId, as_json: JsonOption = False) -> None:
    """Stop a worker as SIGTERM does: jobs still running after its grace period move to other workers."""
    _command(worker_id, WorkerCommand.STOP, as_json=as_json)


def _command(worker_id: str, command: WorkerCommand, *, as_json: bool) -> None:
    confirmed = perform(command_settings(), drain_or_stop_worker(worker_id, command))
    message = "takes no more jobs, and ends" if confirmed else "does not answer; the order has been withdrawn"
    if as_json:
        print_json({"worker_id": worker_id, "confirmed": confirmed, "message": message})
    else:
        output().print(f"{escaped(worker_id)} {message}.")
    if not confirmed:
        raise typer.Exit(1)
