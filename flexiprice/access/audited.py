"""Changes that are made outside the database, written down in it like any other."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.access.audit_log import AuditEvent, record_audit
from flexiprice.db.engine import database_errors
from flexiprice.db.operations_tables import AuditEntry
from flexiprice.db.probe import limit_waits, require_writable
from flexiprice.domain.audit import AuditOutcome, AuditSource, FieldChange
from flexiprice.errors import FlexiPriceError, TransientError
from flexiprice.telemetry import get_logger

_LONGEST_REASON: Final = 500
# Outcomes of `flexiprice.queue.admin.revoke` for tasks that did not stop, or have not confirmed it.
_NOT_CALLED_OFF: Final = frozenset({"ended", "unknown"})
_ASKED: Final = "asked"
_LOGGER = get_logger(__name__)


@asynccontextmanager
async def audited(
    sessions: async_sessionmaker[AsyncSession], change: AuditEvent
) -> AsyncGenerator[dict[str, object]]:
    """Writes a change down once it has been made, and lets none be made while nothing can be written.

    A change that is refused or fails is written down too, with the reason. What the API refuses is counted
    where it answers, so that nobody can fill the table.

    Args:
        sessions: of the database.
        change: who changes what.

    Yields:
        Further details, filled in by the caller.

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
        if change.source is not AuditSource.API:
            await record_unmade(sessions, replace(change, details=details), error)
        raise
    outcome, reason = _came_of(details)
    details |= {"reason": reason} if reason else {}
    changes = _switched(change.action, details)
    await record_events(sessions, [replace(change, details=details, changes=changes, outcome=outcome)])


async def record_unmade(
    sessions: async_sessionmaker[AsyncSession], change: AuditEvent, error: FlexiPriceError
) -> None:
    """Writes down a change that an error refused, or of which it leaves open what came of it."""
    outcome = AuditOutcome.FAILED if isinstance(error, TransientError) else AuditOutcome.REFUSED
    details = {**change.details, "reason": error.message[:_LONGEST_REASON]}
    await record_events(sessions, [replace(change, details=details, outcome=outcome)])


def _came_of(details: Mapping[str, object]) -> tuple[AuditOutcome, str]:
    """Outcome of what was asked of workers and tasks, and the reason where it is not `done`."""
    if details.get("confirmed") is False:
        # It may have obeyed before the order was withdrawn.
        return AuditOutcome.FAILED, "the worker did not answer; the order has been withdrawn"
    called_off = _each(details, "outcome")
    if called_off and called_off <= _NOT_CALLED_OFF:
        return AuditOutcome.REFUSED, "nothing waited or ran that could be called off"
    if called_off and called_off <= _NOT_CALLED_OFF | {_ASKED}:
        return AuditOutcome.FAILED, "calling it off was not confirmed"
    if _each(details, "new_task_id") == {None}:
        return AuditOutcome.REFUSED, "none could be enqueued anew"
    return AuditOutcome.DONE, ""


def _each(details: Mapping[str, object], name: str) -> set[object]:
    """The values that are noted of one task under a name, or of several under its plural."""
    several = details.get(f"{name}s")
    if isinstance(several, Mapping):
        return set(cast("Mapping[str, object]", several).values())
    return {details[name]} if name in details else set()


def _switched(action: str, details: dict[str, object]) -> dict[str, FieldChange]:
    """Old and new value of what an action switches; Redis says in one step whether it was switched."""
    paused = action.startswith("pause_")
    if not (paused or action.startswith("resume_")) or details.get("changed") is not True:
        return {}
    return {"paused": FieldChange(not paused, paused)}


async def record_events(sessions: async_sessionmaker[AsyncSession], changes: Sequence[AuditEvent]) -> None:
    """Writes down changes that have been made; where that fails, the log says what was changed.

    One that cannot be written keeps none of the others from being written.
    """
    try:
        with database_errors():
            async with sessions.begin() as session:
                await record_audit(session, changes)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it must not end who writes for all others
        if len(changes) > 1 and not isinstance(error, TransientError):
            for change in changes:
                await record_events(sessions, [change])
            return
        for change in changes:
            # It has been made and cannot be taken back; the log is the next best place to find it.
            _LOGGER.error(  # noqa: TRY400 -- the change matters, not where writing it failed
                "audit_entry_not_written",
                action=change.action,
                target=change.target,
                actor=change.actor,
                source=change.source.value,
                address=change.address,
                reason=str(error),
            )
