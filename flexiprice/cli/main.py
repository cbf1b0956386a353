"""The `flexiprice` command."""

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from flexiprice.cli.lazy_group import MARKUP_MODE, LazyGroup

app = typer.Typer(
    name="flexiprice",
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=MARKUP_MODE,
    epilog="Settings come from `FLEXIPRICE_*` variables and from `.env`; while `flexiprice up` runs, "
    "commands in the same folder find its servers by themselves.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 -- takes longer than the rest of the help

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
    """Discounts perishable stock as its expiry date comes near, so that it is sold instead of thrown away.

    `flexiprice demo` shows it at work in half a minute; `flexiprice up` serves it on this machine.
    """


def main() -> None:
    """Runs the command line. An error is one sentence; a traceback appears only with log level DEBUG."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # An old terminal's encoding may lack a character; that must not end the command.
            stream.reconfigure(errors="replace")
    try:
        app()
    except Exception as error:
        from flexiprice.cli.failures import report  # noqa: PLC0415 -- only where a command failed

        code = report(error)
        if code is None:
            raise
        sys.exit(code)


if __name__ == "__main__":
    main()
