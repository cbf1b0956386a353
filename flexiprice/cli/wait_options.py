"""How long a command waits for a job that it asks for."""

from dataclasses import dataclass
from datetime import timedelta

import typer


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """Whether to wait for a job, and how long at most; None is for as long as it takes."""

    waits: bool
    longest: timedelta | None = None

    @property
    def seconds(self) -> float | None:
        """The longest wait in seconds."""
        return None if self.longest is None else self.longest.total_seconds()

    @classmethod
    def of_options(cls, *, wait: bool, timeout: timedelta | None) -> "WaitOptions":
        """What `--wait` and `--timeout` mean together.

        Raises:
            BadParameter: there is a time for a wait that nobody wants.
        """
        if timeout is not None and not wait:
            raise typer.BadParameter("needs --wait", param_hint="--timeout")
        return cls(wait, timeout)
