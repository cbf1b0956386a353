"""Notes that a service leaves about its change, for the caller that writes the audit entry.

A service knows the natural name of what it changes and the values before and after, under the locks of its
transaction; the caller knows who asks, and from where. The note waits in the session between them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.domain.audit import FieldChange

_KEY: Final = "flexiprice_audit_note"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditNote:
    """The change of a transaction.

    Attributes:
        target: natural name of the changed object: a SKU, a store's code, a policy's version.
        changes: old and new value of each field that changed.
        details: further facts, such as totals.
    """

    target: str
    changes: Mapping[str, FieldChange] = field(default_factory=dict[str, FieldChange])
    details: Mapping[str, object] = field(default_factory=dict[str, object])


def note_change(
    session: AsyncSession,
    target: str,
    changes: Mapping[str, FieldChange] | None = None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Notes a change for the next audit entry of the transaction."""
    session.info[_KEY] = AuditNote(target=target, changes=changes or {}, details=details or {})


def take_note(session: AsyncSession) -> AuditNote | None:
    """Takes the note made since the last audit entry of the transaction; None if there is none."""
    note = session.info.pop(_KEY, None)
    return note if isinstance(note, AuditNote) else None
