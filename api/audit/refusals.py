"""Refusals as audit entries, bounded: nobody fills the table by being refused.

The first refusal of a kind from an address is written at once. Further ones are counted, and written as one
entry with their number when the minute ends.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from api.audit.buffer import AuditWriter
from api.security.rate_limit import counted_as
from flexiprice.access.audit_log import LONGEST_ADDRESS, AuditEvent
from flexiprice.domain.audit import MANY, NOBODY, AuditOutcome
from flexiprice.queue.redis.cancellation import cancelled

_PERIOD_SECONDS: Final = 60.0
MOST_KINDS: Final = 100
"""Kinds told apart within a minute, of who has a key and of who has none; others are counted together."""
_LONGEST_REASON: Final = 500
_LONGEST_TARGET: Final = 200


_Kind = tuple[object, ...]


@dataclass(slots=True)
class _Counted:
    change: AuditEvent
    more: int = 0


class Refusals:
    """Counts refusals by address, actor and action, and has them written down."""

    def __init__(self, writer: AuditWriter) -> None:
        """Counts for a writer."""
        self._writer = writer
        self._counted: dict[_Kind, _Counted] = {}
        self._kinds: Counter[bool] = Counter()

    def note(self, change: AuditEvent, reason: str) -> None:
        """Notes that something was refused or failed, and why."""
        change = _harmless(change, reason)
        # Apart, so that a flood of guesses hides nothing of what holders of keys were refused.
        has_key = change.actor != NOBODY
        fault = change.details.get("key"), change.details.get("fault")
        address = counted_as(change.address or "")
        kind: _Kind = (has_key, address, change.actor, change.action, change.outcome, fault)
        if kind not in self._counted and self._kinds[has_key] >= MOST_KINDS:
            kind, change = (has_key,), _of_many(change)
        elif kind not in self._counted:
            self._kinds[has_key] += 1
        if (known := self._counted.get(kind)) is not None:
            known.more += 1
            return
        self._counted[kind] = _Counted(change)
        self._writer.tell(change)

    def end_period(self) -> None:
        """Has written what was counted since the last call, and begins anew."""
        for known in self._counted.values():
            if known.more:
                details = {**known.change.details, "times": known.more}
                details.pop("request_id", None)
                self._writer.tell(replace(known.change, details=details))
        self._counted.clear()
        self._kinds.clear()

    async def main(self) -> None:
        """Ends a period each minute until it is cancelled."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            self.end_period()


@asynccontextmanager
async def counting_refusals(writer: AuditWriter) -> AsyncGenerator[Refusals]:
    """Counts for as long as the context lasts; at its end, all is told to the writer."""
    refusals = Refusals(writer)
    counting = asyncio.create_task(refusals.main(), name="refusals")
    try:
        yield refusals
    finally:
        await cancelled(counting)
        refusals.end_period()


def _of_many(change: AuditEvent) -> AuditEvent:
    return AuditEvent(
        actor=NOBODY if change.actor == NOBODY else MANY,
        source=change.source,
        action="many_refusals",
        target="of many kinds",
        outcome=AuditOutcome.REFUSED,
        details={"reason": "more kinds of refusals within a minute than are told apart"},
    )


def _harmless(change: AuditEvent, reason: str) -> AuditEvent:
    # Whoever is refused chooses the path and more: it must disturb neither who reads it, nor PostgreSQL.
    return replace(
        change,
        target=_printable(change.target)[:_LONGEST_TARGET],
        address=_printable(change.address or "")[:LONGEST_ADDRESS] or None,
        details={**change.details, "reason": _printable(reason)[:_LONGEST_REASON]},
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
