"""Records changes that commands make in the audit log."""

import os
import socket
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from flexiprice.access.audit_log import LONGEST_ADDRESS, LONGEST_TARGET, AuditEvent
from flexiprice.access.audited import audited, record_unmade
from flexiprice.cli.access.operator import LONGEST_ACCOUNT, operator
from flexiprice.cli.connections import with_database, with_resources
from flexiprice.cli.terminal import printable
from flexiprice.domain.audit import AuditSource
from flexiprice.errors import DatabaseBusy, DatabaseUnavailable, FlexiPriceError, InvalidSettings
from flexiprice.queue.admin.operations import Operation
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.resources import Resources
from flexiprice.settings import Settings

T = TypeVar("T")


@contextmanager
def refusals_written_down(settings: Settings, action: str, target: str = "") -> Generator[None]:
    """Writes down, in a transaction of its own, that a change was refused or failed, and why.

    `perform` does so by itself. Where PostgreSQL is not configured or does not answer, there is nowhere to.
    """
    try:
        yield
    except FlexiPriceError as error:
        if isinstance(error, InvalidSettings | DatabaseUnavailable) and not isinstance(error, DatabaseBusy):
            raise
        record = partial(record_unmade, change=cli_change(action, target), error=error)
        with suppress(InvalidSettings):
            with_database(settings, lambda database: record(database.sessions))
        raise


def cli_change(action: str, target: str = "", details: Mapping[str, object] | None = None) -> AuditEvent:
    """Returns the audit event of a change by this command."""
    return AuditEvent(
        actor=operator(),
        source=AuditSource.CLI,
        action=action,
        target=target[:LONGEST_TARGET],
        address=socket.gethostname()[:LONGEST_ADDRESS],
        details={**_behind_sudo(), **(details or {})},
    )


def _behind_sudo() -> dict[str, str]:
    # Anybody can set this variable, so it stands beside the account and never in its place.
    name = printable(os.environ.get("SUDO_USER", ""))[:LONGEST_ACCOUNT]
    return {"sudo_user": name} if name else {}


def perform(settings: Settings, operation: Operation[T]) -> T:
    """Performs an operation, and records it in the audit log.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer, and nothing was changed.
        FlexiPriceError: the operation was refused or failed.
    """

    async def use(resources: Resources) -> T:
        change = cli_change(operation.action, operation.target)
        async with audited(resources.sessions, change) as details:
            with redis_errors():
                return await operation.perform(resources.tasks, details)

    run: Callable[[Resources], Coroutine[Any, Any, T]] = use
    return with_resources(settings, run)
