"""How a worker that has done its share asks to be started anew: agreed on with whoever supervises it."""

import os
from typing import Final

# Not one of the settings, whose names begin otherwise.
PIPE_VARIABLE: Final = "_FLEXIPRICE_SUPERVISOR"
"""The environment variable that tells a supervised program the file descriptor to say it to."""
RECYCLED: Final = b"recycled"
"""What it says there, just before it ends with exit code 0."""


def has_supervisor() -> bool:
    """Whether this program was started by a supervisor that starts it anew once it is recycled."""
    try:
        os.fstat(int(os.environ[PIPE_VARIABLE]))
    except (KeyError, ValueError, OSError):
        return False
    return True


def announce_recycling() -> bool:
    """Asks this program's supervisor to start it anew once it has ended with exit code 0.

    Returns:
        Whether there is one; without, whoever else watches over the program decides.
    """
    try:
        return os.write(int(os.environ[PIPE_VARIABLE]), RECYCLED) > 0
    except (KeyError, ValueError, OSError):
        return False
