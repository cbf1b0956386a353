"""The options `--wait` and `--timeout` of a command that enqueues or follows a job."""

from dataclasses import dataclass
from datetime import timedelta

import typer


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """Whether to wait for a job, and the longest wait; None waits without a limit."""

    waits: bool
    longest: timedelta | None = None

    @property
    def seconds(self) -> float | None:
        """The longest wait in seconds."""
        return None if self.longest is None else self.longest.total_seconds()

    @classmethod
    def of_options(cls, *, wait: bool, timeout: timedelta | None) -> "WaitOptions":
        """Combines `--wait` and `--timeout`.

        Raises:
            BadParameter: `--timeout` is given without `--wait`.
        """
        if timeout is not None and not wait:
            raise typer.BadParameter("needs --wait", param_hint="--timeout")
        return cls(wait, timeout)
