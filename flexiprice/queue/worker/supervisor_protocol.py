"""The protocol by which a recycled worker asks its supervisor for a restart."""

import os
from typing import Final

# Not a setting: settings have another prefix.
PIPE_VARIABLE: Final = "_FLEXIPRICE_SUPERVISOR"
"""Environment variable with the file descriptor of the supervisor's pipe."""
RECYCLED: Final = b"recycled"
"""Message on the pipe, written just before the exit with code 0."""


def has_supervisor() -> bool:
    """Whether a supervisor started this program and restarts it after recycling."""
    try:
        os.fstat(int(os.environ[PIPE_VARIABLE]))
    except (KeyError, ValueError, OSError):
        return False
    return True


def announce_recycling() -> bool:
    """Asks the supervisor to restart this program after its exit with code 0.

    Returns:
        Whether there is a supervisor.
    """
    try:
        return os.write(int(os.environ[PIPE_VARIABLE]), RECYCLED) > 0
    except (KeyError, ValueError, OSError):
        return False
