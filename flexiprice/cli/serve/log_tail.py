"""Shows of what a program writes to its log what a person must see, as it comes."""

import json
import re
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

_QUIET_LEVELS: Final = frozenset({"debug", "info"})
# A line of ours for people: the instant, then the level in brackets.
_CONSOLE_LINE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+ \[(?P<level>[a-z]+) *\]")


class FollowedLog:
    """The part of a log that was not shown yet."""

    def __init__(self, label: str, log: Path, *, everything: bool = False) -> None:
        """Follows a log from its beginning.

        Args:
            label: what its lines begin with on the terminal.
            log: the file.
            everything: whether lines that only tell what happens are shown too, not just warnings, errors
                and what is no line of ours, such as what a broken interpreter says.
        """
        self._label = label
        self._log = log
        self._everything = everything
        self._shown = 0

    def show(self, console: Console) -> None:
        """Prints the whole lines that came since the last time."""
        with self._log.open("rb") as file:
            file.seek(self._shown)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._shown += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if self._everything or _level_of(line) not in _QUIET_LEVELS:
                console.print(Text(f"{self._label} ", style="dim") + Text.from_ansi(line), soft_wrap=True)


def _level_of(line: str) -> str | None:
    """The level of a line of ours in either format; None for any other line."""
    if line.startswith("{"):
        try:
            level = json.loads(line)["level"]
        except (ValueError, LookupError, TypeError):
            return None
        return level if isinstance(level, str) else None
    found = _CONSOLE_LINE.match(line)
    return found["level"] if found else None
