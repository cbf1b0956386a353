"""Checks that a printed command exists."""

import typer

from flexiprice.cli.main import app


def require_command(words: list[str]) -> None:
    """Fails where our command line knows no such command, or the command no such option."""
    command = typer.main.get_command(app)
    rest = list(words)
    while rest and not rest[0].startswith("-") and (below := getattr(command, "commands", None)):
        assert rest[0] in below, f"flexiprice has no command {rest[0]!r}: {words}"
        command = below[rest.pop(0)]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in rest:
        if word.startswith("-"):
            assert word.partition("=")[0] in options | {"--help", "-h"}, f"{words}: no option {word}"
