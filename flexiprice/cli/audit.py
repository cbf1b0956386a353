"""Who types a command: what a change leaves in the audit, and what a job says of its origin."""

import getpass
import socket
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from flexiprice.cli.connections import with_resources
from flexiprice.domain.audit import AuditSource
from flexiprice.domain.run import RunTrigger
from flexiprice.jobs.origin import JobOrigin
from flexiprice.resources import Resources
from flexiprice.services.audit import Change
from flexiprice.services.audited import audited
from flexiprice.settings import Settings

T = TypeVar("T")


def cli_origin() -> JobOrigin:
    """The origin of the jobs that a command enqueues."""
    return JobOrigin(trigger=RunTrigger.CLI, actor=operator())


def operator() -> str:
    """The user of this machine who types the command."""
    try:
        return getpass.getuser()[:200]
    except (OSError, KeyError):
        # A container may run under a number that has no name.
        return "unknown user"


def cli_change(action: str, target: str = "", details: Mapping[str, object] | None = None) -> Change:
    """A change by the command that is being typed."""
    return Change(
        actor=operator(),
        source=AuditSource.CLI,
        action=action,
        target=target[:500],
        address=socket.gethostname()[:200],
        details=details or {},
    )


def change(
    settings: Settings,
    action: str,
    target: str,
    make: Callable[[Resources], Awaitable[T]],
    *,
    told: Callable[[T], Mapping[str, object]] | None = None,
) -> T:
    """Makes a change outside the database, and writes it down there.

    Args:
        settings: where the servers are.
        action: what is done.
        target: to what.
        make: does it.
        told: further details of what was done.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer, and nothing was changed.
    """

    async def use(resources: Resources) -> T:
        async with audited(resources.sessions, cli_change(action, target)) as details:
            made = await make(resources)
            if told is not None:
                details.update(told(made))
        return made

    run: Callable[[Resources], Coroutine[Any, Any, T]] = use
    return with_resources(settings, run)
