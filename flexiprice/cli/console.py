"""Output of commands: tables for people, JSON for programs, messages on stderr."""

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import to_json
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flexiprice.cli.json_words import in_api_words
from flexiprice.cli.terminal import TerminalConsole, echo, printable
from flexiprice.errors import InvalidInput

# Width of a table in a pipe or a file, where COLUMNS is not set.
_UNFOLDED = 200

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]


def output() -> Console:
    """Returns the console of stdout, for results."""
    knows_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return TerminalConsole(width=None if knows_width else _UNFOLDED, highlight=False)


def stderr() -> Console:
    """Returns the console of stderr, for progress, hints and warnings."""
    return TerminalConsole(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Prints a result as JSON with the API's field names: amounts as strings, instants in ISO 8601."""
    echo(to_json(in_api_words(value), indent=2).decode())


def new_table(*columns: str, title: str | None = None, numbers: Sequence[str] = ()) -> Table:
    """Returns an empty table; the columns in `numbers` are right-aligned."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left")
    return table


def escaped(text: object) -> str:
    """Escapes markup and control characters in text from a database or a file; None becomes empty."""
    return "" if text is None else escape(printable(str(text)))


def percent(rate: Decimal | None) -> str:
    """Formats a rate as a percentage: 0.255 is 25.5%."""
    return "" if rate is None else f"{(rate * 100).quantize(Decimal('0.1')):f}%".replace(".0%", "%")


def format_time(moment: datetime | None) -> str:
    """Formats an instant in this machine's time zone, to the second."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}"


@contextmanager
def file_errors(path: Path) -> Generator[None]:
    """Turns an `OSError` while a file is written into an error that names the file and the reason.

    Raises:
        InvalidInput: an `OSError` happened inside.
    """
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InvalidInput(
            f"{path} cannot be written: {reason}; name a file in a folder that you may write to"
        ) from None
