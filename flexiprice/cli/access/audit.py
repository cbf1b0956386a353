"""Records changes that commands make in the audit log."""

import os
import socket
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from flexiprice.access.audit_context import audited, record_refused
from flexiprice.access.audit_log import LONGEST_ADDRESS, LONGEST_TARGET, AuditEvent
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
def recording_refusals(settings: Settings, action: str, target: str = "") -> Generator[None]:
    """Records a refused or failed change with its reason, in a transaction of its own.

    `perform` does so itself. Records nothing if PostgreSQL is not configured or does not answer.
    """
    try:
        yield
    except FlexiPriceError as error:
        if isinstance(error, InvalidSettings | DatabaseUnavailable) and not isinstance(error, DatabaseBusy):
            raise
        record = partial(record_refused, event=cli_event(action, target), error=error)
        with suppress(InvalidSettings):
            with_database(settings, lambda database: record(database.sessions))
        raise


def cli_event(action: str, target: str = "", details: Mapping[str, object] | None = None) -> AuditEvent:
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
    # Users can set this variable, so it is recorded beside the account and not instead of it.
    name = printable(os.environ.get("SUDO_USER", ""))[:LONGEST_ACCOUNT]
    return {"sudo_user": name} if name else {}


def perform(settings: Settings, operation: Operation[T]) -> T:
    """Performs an operation, and records it in the audit log.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer, and nothing was changed.
        FlexiPriceError: the operation was refused or failed.
    """

    async def use(resources: Resources) -> T:
        event = cli_event(operation.action, operation.target)
        async with audited(resources.sessions, event) as details:
            with redis_errors():
                return await operation.perform(resources.tasks, details)

    run: Callable[[Resources], Coroutine[Any, Any, T]] = use
    return with_resources(settings, run)
