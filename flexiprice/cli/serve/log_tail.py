"""Follows a program's log file and shows its warnings and errors, or everything."""

import json
import re
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

_QUIET_LEVELS: Final = frozenset({"debug", "info"})
# A line in FlexiPrice's console format: the instant, then the level in brackets.
_CONSOLE_LINE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T\S+ \[(?P<level>[a-z]+) *\]")


class FollowedLog:
    """A log file, and the position up to which it has been shown."""

    def __init__(self, label: str, log: Path, *, everything: bool = False) -> None:
        """Follows a log from its beginning.

        Args:
            label: the prefix of its lines on the terminal.
            log: the file.
            everything: whether lines of level debug and info are shown as well as warnings, errors and
                lines in another format, such as an interpreter's traceback.
        """
        self._label = label
        self._log = log
        self._everything = everything
        self._shown = 0

    def show(self, console: Console) -> None:
        """Prints the complete lines that were written since the last call."""
        with self._log.open("rb") as file:
            file.seek(self._shown)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._shown += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            if self._everything or _level_of(line) not in _QUIET_LEVELS:
                console.print(Text(f"{self._label} ", style="dim") + Text.from_ansi(line), soft_wrap=True)


def _level_of(line: str) -> str | None:
    """Returns the level of a line in FlexiPrice's console or JSON format; None for any other line."""
    if line.startswith("{"):
        try:
            level = json.loads(line)["level"]
        except (ValueError, LookupError, TypeError):
            return None
        return level if isinstance(level, str) else None
    found = _CONSOLE_LINE.match(line)
    return found["level"] if found else None
