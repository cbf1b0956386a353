"""The reference of the command line, made from the commands themselves."""

import re
from collections.abc import Iterator
from typing import Any, Final

import typer

from flexiprice.cli.main import app

# Typer's word for a file that it opens; the placeholder before it says more.
_OPENED_FILE: Final = re.compile(r" <File\w+>")
_WIDE: Final = 10_000


def cli_page() -> str:
    """The page's Markdown."""
    root = typer.main.get_command(app)
    return "\n".join(
        [
            "# Command line",
            "",
            (
                "Every command, its arguments and its options. `flexiprice COMMAND --help` shows the same; "
                "`flexiprice help TOPIC` shows a page of the manual."
            ),
            *_panels(root),
            "",
            "Generated from the code by `make reference`.",
            "",
        ]
    )


def _panels(root: Any) -> Iterator[str]:
    panel = ""
    for name, command in root.commands.items():
        if command.rich_help_panel != panel:
            panel = command.rich_help_panel
            yield from ("", f"## {panel}")
        yield from _command(command, f"flexiprice {name}")


def _command(command: Any, name: str) -> Iterator[str]:
    context = command.context_class(command, info_name=name, terminal_width=_WIDE, max_content_width=_WIDE)
    usage = _OPENED_FILE.sub("", command.get_usage(context).removeprefix("Usage: ").strip())
    yield from ("", f"### {name}", "", *_plain(command.help or "").splitlines())
    if not hasattr(command, "commands"):
        yield from ("", f"    {usage}")
    options = [record for each in command.params if (record := each.get_help_record(context))]
    options = [(left, right) for left, right in options if "--help" not in left]
    if options:
        yield ""
    for left, right in options:
        said = re.sub(r"\s+", " ", right).strip()
        yield f"- `{_OPENED_FILE.sub('', left)}`" + (f": {said}" if said else "")
    for below, each in getattr(command, "commands", {}).items():
        yield from _command(each, f"{name} {below}")


def _plain(text: str) -> str:
    # Typer keeps a form feed where a docstring's text for commands ends.
    return text.partition("\f")[0].strip()
