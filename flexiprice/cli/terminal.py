"""What may reach a terminal: no character that it would obey, wherever it came from.

Names, errors and comments come out of files, Redis and the database. An escape sequence among them could
move the cursor, change the window's title or hide what stands there.
"""

from collections.abc import Iterable
from typing import Final

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_KEPT: Final = "\t\n"
# Control characters of ASCII and of Latin-1, and those that turn the direction of text around.
_OBEYED: Final = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
# As JSON writes them, so that a text of JSON stays one.
_SHOWN: Final = {number: f"\\u{number:04x}" for number in _OBEYED if chr(number) not in _KEPT}


def printable(text: str) -> str:
    """The text, with every character that a terminal would obey written out; lines and tabs stay."""
    return text.translate(_SHOWN)


def echo(text: str, *, err: bool = False, newline: bool = True, color: str | None = None) -> None:
    """Writes a text as it is, but for what a terminal would obey."""
    typer.secho(printable(text), err=err, nl=newline, fg=color)


class TerminalConsole(Console):
    """A console that writes nothing of a text that a terminal would obey; styles are its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As its base class does."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)
