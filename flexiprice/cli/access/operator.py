"""Names the operator who types a command, in the audit log and as the origin of jobs."""

import getpass

from flexiprice.domain.run import RunTrigger
from flexiprice.queue.source import JobSource


def cli_origin() -> JobSource:
    """Returns the source of the jobs that a command enqueues."""
    return JobSource(trigger=RunTrigger.CLI, actor=operator())


def operator() -> str:
    """Returns the name of the user who runs the command."""
    try:
        return getpass.getuser()[:200]
    except (OSError, KeyError):
        # A container may run under a user id without a name.
        return "unknown user"
