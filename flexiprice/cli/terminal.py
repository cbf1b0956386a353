"""Escapes control characters in everything that is written to a terminal.

Names, errors and comments come from files, Redis and the database. An escape sequence in them could
move the cursor, change the window's title or hide text.
"""

from collections.abc import Iterable
from typing import Final

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_KEPT: Final = "\t\n"
# Control characters of ASCII and of Latin-1, and those that reverse the direction of text.
_OBEYED: Final = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
# As JSON escapes them, so that JSON stays valid.
_SHOWN: Final = {number: f"\\u{number:04x}" for number in _OBEYED if chr(number) not in _KEPT}


def printable(text: str) -> str:
    """Escapes every control character of the text but line feeds and tabs."""
    return text.translate(_SHOWN)


def echo(text: str, *, err: bool = False, newline: bool = True, color: str | None = None) -> None:
    """Writes a text with its control characters escaped."""
    typer.secho(printable(text), err=err, nl=newline, fg=color)


class TerminalConsole(Console):
    """A console that escapes control characters in text; its own styles stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Renders as the base class, with control characters escaped."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)
