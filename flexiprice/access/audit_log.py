"""Who changed what, from where and when: written with the change, never edited, kept for good."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import RowMapping, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.audit_notes import take_note
from flexiprice.db.operations_tables import AuditEntry
from flexiprice.db.storable import storable
from flexiprice.domain.audit import AuditOutcome, AuditSource, FieldChange
from flexiprice.domain.audit_words import AuditWords, audit_words
from flexiprice.errors import InvalidInput

MAX_LISTED_ENTRIES: Final = 501
"""Maximum entries per read: a page of 500, and one more that shows whether another page follows."""
LONGEST_TARGET: Final = 500
LONGEST_ADDRESS: Final = 200
_LENGTHS: Final = {"actor": 200, "action": 100, "target": LONGEST_TARGET, "address": LONGEST_ADDRESS}
_NEVER_EMPTY: Final = frozenset({"actor", "action"})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    actor: str
    source: AuditSource
    action: str
    target: str = ""
    address: str | None = None
    details: Mapping[str, object] = field(default_factory=dict[str, object])
    outcome: AuditOutcome = AuditOutcome.DONE
    changes: Mapping[str, FieldChange] = field(default_factory=dict[str, FieldChange])


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent(_Facts):
    """Something that a person changed.

    Attributes:
        actor: who: the name of a key, a user of the machine; never a secret.
        source: through which door.
        action: what was done, such as `revoke_job` or `pause_schedule`.
        target: to what: a job's id, a queue's name; empty where the action says it all.
        address: from which network address or terminal, where that is known.
        details: what else there is to know, as JSON, with secrets hidden already.
        outcome: what came of it; `details["reason"]` says why it was refused.
        changes: old and new value of each field that changed.
        at: when; None for the moment at which PostgreSQL records it, by its clock.
    """

    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLogEntry(_Facts):
    """A change as it was recorded; the attributes of `AuditEvent`, and these.

    Attributes:
        at: when, by PostgreSQL's clock.
        entry_id: orders the entries of one instant.
    """

    at: datetime
    entry_id: int

    @property
    def sentence(self) -> str:
        """The entry in one line."""
        return self.words.sentence

    @property
    def words(self) -> AuditWords:
        """The entry as people read it."""
        return audit_words(
            actor=self.actor,
            action=self.action,
            target=self.target,
            outcome=self.outcome,
            changes=self.changes,
            details=self.details,
        )


_FIELDS: Final = (
    AuditEntry.id.label("entry_id"),
    AuditEntry.at,
    AuditEntry.actor,
    AuditEntry.source,
    AuditEntry.action,
    AuditEntry.target,
    AuditEntry.address,
    AuditEntry.details,
    AuditEntry.outcome,
    AuditEntry.changes,
)


async def record_audit(session: AsyncSession, events: Sequence[AuditEvent]) -> None:
    """Records changes by one statement, in the transaction that makes them where there is one.

    What the services of that transaction noted belongs to the last of them.

    Raises:
        InvalidInput: a text is empty or too long; `details["field"]` names it.
    """
    note = take_note(session)
    if events and note is not None:
        last = events[-1]
        merged = replace(
            last,
            target=note.target[:LONGEST_TARGET],
            changes={**note.changes, **last.changes},
            details={**note.details, **last.details},
        )
        events = [*events[:-1], merged]
    for event in events:
        _check(event)
    if events:
        await session.execute(insert(AuditEntry), [_row(event) for event in events])


async def list_audit(
    session: AsyncSession,
    *,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
    outcome: AuditOutcome | None = None,
    address: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: tuple[datetime, int] | None = None,
    limit: int = 100,
) -> tuple[AuditLogEntry, ...]:
    """A page of what was changed, the latest first.

    Args:
        session: in a transaction.
        actor: only by this one.
        action: only of this kind.
        target: only to what has this text in its name, in any case.
        outcome: only with this outcome.
        address: only from this address or machine.
        since: only at this instant or later.
        until: only before this instant.
        after: `at` and `entry_id` of the last entry already read.
        limit: at most so many, up to `MAX_LISTED_ENTRIES`.
    """
    query = (
        select(*_FIELDS)
        .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
        .limit(min(limit, MAX_LISTED_ENTRIES))
    )
    equal = {
        AuditEntry.actor: actor,
        AuditEntry.action: action,
        AuditEntry.outcome: outcome,
        AuditEntry.address: address,
    }
    query = query.where(*(column == value for column, value in equal.items() if value is not None))
    if target is not None:
        query = query.where(AuditEntry.target.icontains(target, autoescape=True))
    if since is not None:
        query = query.where(AuditEntry.at >= since)
    if until is not None:
        query = query.where(AuditEntry.at < until)
    if after is not None:
        query = query.where(tuple_(AuditEntry.at, AuditEntry.id) < after)
    return tuple(_recorded(row) for row in (await session.execute(query)).mappings())


def _recorded(row: RowMapping) -> AuditLogEntry:
    fields: dict[str, Any] = dict(row)
    fields["source"] = AuditSource(row["source"])
    fields["outcome"] = AuditOutcome(row["outcome"])
    fields["changes"] = {name: FieldChange(**change) for name, change in row["changes"].items()}
    return AuditLogEntry(**fields)


def _check(event: AuditEvent) -> None:
    for name, longest in _LENGTHS.items():
        text = getattr(event, name) or ""
        if len(text) > longest or (name in _NEVER_EMPTY and not text):
            shortest = 1 if name in _NEVER_EMPTY else 0
            raise InvalidInput(f"{name}: must have {shortest} to {longest} characters", field=name)


def _row(event: AuditEvent) -> dict[str, Any]:
    row: dict[str, Any] = {} if event.at is None else {"at": event.at}
    texts = {
        # A caller may name anything as a target: no character may keep an entry from being written.
        "actor": event.actor,
        "action": event.action,
        "target": event.target,
        "address": event.address,
        "details": dict(event.details),
        "changes": {name: asdict(one) for name, one in event.changes.items()},
    }
    return {**row, "source": event.source, "outcome": event.outcome} | {
        name: storable(text) for name, text in texts.items()
    }
