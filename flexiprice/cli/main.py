"""The `flexiprice` command: one module here for each thing it can be told to do."""

import os
import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from flexiprice.cli.access import keys
from flexiprice.cli.access.audit_log import audit
from flexiprice.cli.catalog import stores
from flexiprice.cli.catalog.import_file import import_file
from flexiprice.cli.doctor.command import doctor
from flexiprice.cli.examples import show_examples
from flexiprice.cli.manual import show_help
from flexiprice.cli.migrate import migrate
from flexiprice.cli.policy_faults import fault_lines
from flexiprice.cli.pricing import policy
from flexiprice.cli.pricing.cleanup import cleanup
from flexiprice.cli.pricing.history import history
from flexiprice.cli.pricing.prices import prices
from flexiprice.cli.pricing.recompute import recompute
from flexiprice.cli.serve import worker
from flexiprice.cli.serve.api import api
from flexiprice.cli.serve.demo import demo
from flexiprice.cli.serve.healthcheck import healthcheck
from flexiprice.cli.serve.monitor import monitor
from flexiprice.cli.serve.systemd import systemd
from flexiprice.cli.serve.up import up
from flexiprice.cli.tasks import dead_letters, schedule
from flexiprice.cli.tasks.control import pause_one_queue, purge_queues, resume_one_queue, retry, revoke
from flexiprice.cli.tasks.inspect import active, queues, registered, scheduled, workers
from flexiprice.cli.tasks.run import run
from flexiprice.cli.tasks.runs import runs, stats
from flexiprice.cli.tasks.status import status
from flexiprice.cli.terminal import echo
from flexiprice.errors import FlexiPriceError, InvalidPolicy, InvalidSettings
from flexiprice.settings import PREFIX
from flexiprice.telemetry import without_secrets

_FAILED = 1
_MISUSED = 2

app = typer.Typer(
    name="flexiprice",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    epilog="Settings come from `FLEXIPRICE_*` variables and from `.env`; while `flexiprice up` runs, "
    "commands in the same folder find its servers by themselves.",
)

_TRY_OUT = "Try it out"
app.command(rich_help_panel=_TRY_OUT)(demo)
app.command(rich_help_panel=_TRY_OUT)(up)
app.command("help", rich_help_panel=_TRY_OUT)(show_help)

_STOCK_AND_PRICES = "Stock and prices"
app.command("import", rich_help_panel=_STOCK_AND_PRICES)(import_file)
app.command(rich_help_panel=_STOCK_AND_PRICES)(recompute)
app.command(rich_help_panel=_STOCK_AND_PRICES)(prices)
app.command(rich_help_panel=_STOCK_AND_PRICES)(history)
app.add_typer(policy.app, rich_help_panel=_STOCK_AND_PRICES)
app.add_typer(stores.app, rich_help_panel=_STOCK_AND_PRICES)
app.command(rich_help_panel=_STOCK_AND_PRICES)(cleanup)

_RUN_IT = "Run it"
app.command(rich_help_panel=_RUN_IT)(migrate)
app.command(rich_help_panel=_RUN_IT)(api)
app.command(rich_help_panel=_RUN_IT)(monitor)
app.add_typer(worker.app, rich_help_panel=_RUN_IT)
app.add_typer(keys.app, rich_help_panel=_RUN_IT)
app.command(rich_help_panel=_RUN_IT)(doctor)
app.command(rich_help_panel=_RUN_IT)(healthcheck)
app.command(rich_help_panel=_RUN_IT)(systemd)

_TASKS = "Tasks and workers"
app.command(rich_help_panel=_TASKS)(run)
app.command(rich_help_panel=_TASKS)(status)
app.command(rich_help_panel=_TASKS)(active)
app.command(rich_help_panel=_TASKS)(scheduled)
app.command(rich_help_panel=_TASKS)(registered)
app.command(rich_help_panel=_TASKS)(workers)
app.command(rich_help_panel=_TASKS)(stats)
app.command(rich_help_panel=_TASKS)(runs)
app.add_typer(dead_letters.app, rich_help_panel=_TASKS)
app.command(rich_help_panel=_TASKS)(revoke)
app.command(rich_help_panel=_TASKS)(retry)
app.command(rich_help_panel=_TASKS)(queues)
app.command("purge", rich_help_panel=_TASKS)(purge_queues)
app.command("pause-queue", rich_help_panel=_TASKS)(pause_one_queue)
app.command("resume-queue", rich_help_panel=_TASKS)(resume_one_queue)
app.add_typer(schedule.app, rich_help_panel=_TASKS)
app.command(rich_help_panel=_TASKS)(audit)
show_examples(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"flexiprice {version('flexiprice')}")
        raise typer.Exit


@app.callback()
def flexiprice(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Prices perishable stock down as its expiry date comes near, so that it is sold instead of thrown away.

    `flexiprice demo` shows it at work in half a minute; `flexiprice up` serves it on this machine.
    """


def main() -> None:
    """Runs the command line; an error is one plain sentence, and a traceback only where DEBUG asks for it.

    Of a policy each fault has a line.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # An old terminal's encoding may lack a character; that must not end the command.
            stream.reconfigure(errors="replace")
    try:
        app()
    except InvalidPolicy as error:
        for line in fault_lines(error):
            echo(line, err=True, color=typer.colors.RED)
        sys.exit(_FAILED)
    except FlexiPriceError as error:
        echo(error.message, err=True, color=typer.colors.RED)
        sys.exit(_MISUSED if isinstance(error, InvalidSettings) else _FAILED)
    except Exception as error:
        if os.environ.get(f"{PREFIX}LOG_LEVEL", "").upper() == "DEBUG":
            raise
        # The first line says what is wrong; of a database's error the others are the statement.
        said = without_secrets(str(error)).partition("\n")[0]
        echo(
            f"Unexpected {type(error).__name__}: {said} ({PREFIX}LOG_LEVEL=DEBUG shows where)",
            err=True,
            color=typer.colors.RED,
        )
        sys.exit(_FAILED)


if __name__ == "__main__":
    main()
