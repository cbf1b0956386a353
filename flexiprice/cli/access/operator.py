"""Names the operator who types a command, in the audit log and as the source of jobs."""

import os
import pwd
from typing import Final

from flexiprice.domain.run import RunTrigger
from flexiprice.queue.source import JobSource

LONGEST_ACCOUNT: Final = 200


def cli_source() -> JobSource:
    """Returns the source of the jobs that a command enqueues."""
    return JobSource(trigger=RunTrigger.CLI, actor=operator())


def operator() -> str:
    """Returns the operating system's account that runs the command, whatever `LOGNAME` and `USER` say."""
    uid = os.getuid()
    try:
        return pwd.getpwuid(uid).pw_name[:LONGEST_ACCOUNT]
    except KeyError:
        # A container may run under a number that has no name.
        return f"uid {uid}"
