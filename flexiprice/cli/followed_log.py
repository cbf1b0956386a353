"""Shows what a program writes to its log, as it comes."""

from pathlib import Path

from rich.console import Console
from rich.text import Text


class FollowedLog:
    """The part of a log that was not shown yet."""

    def __init__(self, label: str, log: Path) -> None:
        """Follows a log from its beginning.

        Args:
            label: what its lines begin with on the terminal.
            log: the file.
        """
        self._label = label
        self._log = log
        self._shown = 0

    def show(self, console: Console) -> None:
        """Prints the whole lines that came since the last time."""
        with self._log.open("rb") as file:
            file.seek(self._shown)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._shown += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            console.print(Text(f"{self._label} ", style="dim") + Text.from_ansi(line), soft_wrap=True)
