"""Reports the error that ended a command, and chooses the exit code.

`main` imports this module only after a failure, because the settings take long to import.
"""

import os
from typing import Final

import typer

from flexiprice.cli.terminal import echo
from flexiprice.errors import FlexiPriceError, InvalidPolicy, InvalidSettings
from flexiprice.settings import PREFIX
from flexiprice.telemetry import without_secrets

_FAILED: Final = 1
_MISUSED: Final = 2


def report(error: Exception) -> int | None:
    """Writes the error to stderr in one sentence, a policy's faults one a line; returns the exit code.

    Writes nothing and returns None where the error is unexpected and the log level is DEBUG.
    """
    if isinstance(error, InvalidPolicy):
        # Only here, because the policy's model takes long to import.
        from flexiprice.cli.policy_faults import fault_lines  # noqa: PLC0415

        lines = [*fault_lines(error)]
    elif isinstance(error, FlexiPriceError):
        lines = [error.message]
    elif os.environ.get(f"{PREFIX}LOG_LEVEL", "").upper() == "DEBUG":
        return None
    else:
        # The first line is the reason; a database error repeats its statement in the others.
        reason = without_secrets(str(error)).partition("\n")[0]
        lines = [f"Unexpected {type(error).__name__}: {reason} ({PREFIX}LOG_LEVEL=DEBUG shows where)"]
    for line in lines:
        echo(line, err=True, color=typer.colors.RED)
    return _MISUSED if isinstance(error, InvalidSettings) else _FAILED
