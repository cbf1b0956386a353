"""The `flexiprice` command: one module here for each thing it can be told to do."""

import sys
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from flexiprice.cli.demo import demo
from flexiprice.cli.up import up
from flexiprice.errors import FlexiPriceError, InvalidSettings

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
    """Runs the command line; an error of ours is one plain sentence, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # An old terminal's encoding may lack a character; that must not end the command.
            stream.reconfigure(errors="replace")
    try:
        app()
    except FlexiPriceError as error:
        typer.secho(error.message, err=True, fg=typer.colors.RED)
        sys.exit(_MISUSED if isinstance(error, InvalidSettings) else _FAILED)


if __name__ == "__main__":
    main()
