"""Records changes that are made outside PostgreSQL in the audit log."""

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
_NOT_REVOKED: Final = frozenset({"ended", "unknown"})
_ASKED: Final = "asked"
_LOGGER = get_logger(__name__)


@asynccontextmanager
async def audited(
    sessions: async_sessionmaker[AsyncSession], event: AuditEvent
) -> AsyncGenerator[dict[str, object]]:
    """Records a change after it is made; raises before it is made if the audit log is not writable.

    A change that is refused or fails is recorded too, with the reason. Except for the API: its
    `RefusalMiddleware` records and bounds refusals.

    Args:
        sessions: the session factory.
        event: actor, action and target of the change.

    Yields:
        Further details of the event, which the caller fills in.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer or rejects entries, and nothing was changed.
    """
    with database_errors():
        async with sessions.begin() as session:
            await limit_waits(session)
            await require_writable(session)
            await session.execute(select(AuditEntry.id).limit(0))
    details = dict(event.details)
    try:
        yield details
    except FlexiPriceError as error:
        if event.source is not AuditSource.API:
            await record_refused(sessions, replace(event, details=details), error)
        raise
    outcome, reason = _outcome_of(details)
    details |= {"reason": reason} if reason else {}
    changes = _switched(event.action, details)
    await record_events(sessions, [replace(event, details=details, changes=changes, outcome=outcome)])


async def record_refused(
    sessions: async_sessionmaker[AsyncSession], event: AuditEvent, error: FlexiPriceError
) -> None:
    """Records a change that an error refused, or whose outcome it leaves unknown."""
    outcome = AuditOutcome.FAILED if isinstance(error, TransientError) else AuditOutcome.REFUSED
    details = {**event.details, "reason": error.message[:_LONGEST_REASON]}
    await record_events(sessions, [replace(event, details=details, outcome=outcome)])


def _outcome_of(details: Mapping[str, object]) -> tuple[AuditOutcome, str]:
    """Returns the outcome of a command to workers or tasks, and the reason if it is not `done`."""
    if details.get("confirmed") is False:
        # The worker may have obeyed before the order was withdrawn.
        return AuditOutcome.FAILED, "the worker did not answer; the order has been withdrawn"
    outcomes = _each(details, "outcome")
    if outcomes and outcomes <= _NOT_REVOKED:
        return AuditOutcome.REFUSED, "no waiting or running task to revoke"
    if outcomes and outcomes <= _NOT_REVOKED | {_ASKED}:
        return AuditOutcome.FAILED, "the revocation was not confirmed"
    if _each(details, "new_task_id") == {None}:
        return AuditOutcome.REFUSED, "none could be enqueued again"
    return AuditOutcome.DONE, ""


def _each(details: Mapping[str, object], name: str) -> set[object]:
    """Returns the values of a detail: of one task under its name, or of several under its plural."""
    several = details.get(f"{name}s")
    if isinstance(several, Mapping):
        return set(cast("Mapping[str, object]", several).values())
    return {details[name]} if name in details else set()


def _switched(action: str, details: dict[str, object]) -> dict[str, FieldChange]:
    """Returns the old and new value of a pause or resume, if Redis reports that it changed anything."""
    paused = action.startswith("pause_")
    if not (paused or action.startswith("resume_")) or details.get("changed") is not True:
        return {}
    return {"paused": FieldChange(not paused, paused)}


async def record_events(sessions: async_sessionmaker[AsyncSession], events: Sequence[AuditEvent]) -> None:
    """Records events of changes that have been made; logs those that cannot be recorded.

    An event that cannot be recorded does not prevent the others from being recorded.
    """
    try:
        with database_errors():
            async with sessions.begin() as session:
                await record_audit(session, events)
    except Exception as error:  # noqa: BLE001 -- any error; the audit buffer must continue
        if len(events) > 1 and not isinstance(error, TransientError):
            for event in events:
                await record_events(sessions, [event])
            return
        for event in events:
            # The change has been made, so at least the log must have it.
            _LOGGER.error(  # noqa: TRY400 -- the change matters, not where writing it failed
                "audit_entry_not_written",
                action=event.action,
                target=event.target,
                actor=event.actor,
                source=event.source.value,
                address=event.address,
                reason=str(error),
            )
