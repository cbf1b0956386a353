"""The options of arq's command, `arq workers.settings.WorkerSettings --watch`, as this worker means them."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn


def is_watching(arguments: Sequence[str]) -> bool:
    """Whether arq's command was asked to restart the worker when a file changes."""
    return any(argument == "--watch" or argument.startswith("--watch=") for argument in arguments)


def restart() -> NoReturn:
    """Replaces this process by a new one of the same command.

    arq itself would start its worker again without loading the changed code, and without our Redis client.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 -- the command that we are
