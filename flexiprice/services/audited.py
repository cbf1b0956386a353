"""Changes that are made outside the database, written down in it like any other."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.engine import database_errors
from flexiprice.db.operations_tables import AuditEntry
from flexiprice.db.probe import limit_waits, require_writable
from flexiprice.errors import FlexiPriceError, TransientError
from flexiprice.services.audit import Change, record_audit
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)


@asynccontextmanager
async def audited(
    sessions: async_sessionmaker[AsyncSession], change: Change
) -> AsyncGenerator[dict[str, object]]:
    """Writes a change down once it has been made, and lets none be made while nothing can be written.

    A change that was refused is not one. One of which it is not known what came of it is written down
    with the error.

    Args:
        sessions: of the database.
        change: who changes what.

    Yields:
        Further details, to be filled in by whoever makes the change.

    Raises:
        DatabaseUnavailable: the database does not answer or takes no entry, and nothing was changed.
    """
    with database_errors():
        async with sessions.begin() as session:
            await limit_waits(session)
            await require_writable(session)
            await session.execute(select(AuditEntry.id).limit(0))
    details = dict(change.details)
    try:
        yield details
    except FlexiPriceError as error:
        if isinstance(error, TransientError):
            await record_made(sessions, [replace(change, details={**details, "error": error.code})])
        raise
    await record_made(sessions, [replace(change, details=details)])


async def record_made(sessions: async_sessionmaker[AsyncSession], changes: Sequence[Change]) -> None:
    """Writes down changes that have been made; where that fails, the log says what was changed."""
    try:
        with database_errors():
            async with sessions.begin() as session:
                await record_audit(session, changes)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it must not end who writes for all others
        for change in changes:
            # It has been made and cannot be taken back; the log is the next best place to find it.
            _LOGGER.error(  # noqa: TRY400 -- the change matters, not where writing it failed
                "change not written down",
                action=change.action,
                target=change.target,
                actor=change.actor,
                source=change.source.value,
                address=change.address,
                reason=str(error),
            )
