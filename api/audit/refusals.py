"""Bounds the audit entries of refusals, so that rejected requests cannot fill the table.

The first refusal of a kind from an address is written at once. Later ones are counted, and written as one
entry with their number at the end of each minute.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from api.audit.buffer import AuditBuffer
from api.security.rate_limit import counted_as
from flexiprice.access.audit_log import LONGEST_ADDRESS, AuditEvent
from flexiprice.domain.audit import ANONYMOUS, MANY, AuditOutcome
from flexiprice.queue.redis.cancellation import cancel_and_wait

_PERIOD_SECONDS: Final = 60.0
MAX_KINDS: Final = 100
"""Kinds counted apart within a minute: so many with a valid key, so many without; others count together."""
_LONGEST_REASON: Final = 500
_LONGEST_TARGET: Final = 200


_Kind = tuple[object, ...]


@dataclass(slots=True)
class _Counted:
    event: AuditEvent
    repeats: int = 0


class RefusalLog:
    """Counts refusals by address, actor and action, and adds them to an audit buffer."""

    def __init__(self, buffer: AuditBuffer) -> None:
        self._buffer = buffer
        self._counted: dict[_Kind, _Counted] = {}
        self._kinds: Counter[bool] = Counter()

    def record(self, event: AuditEvent, reason: str) -> None:
        """Records a refused or failed event with its reason."""
        event = _sanitized(event, reason)
        # Apart, so that a flood of guessed keys does not hide the refusals of valid keys.
        has_key = event.actor != ANONYMOUS
        fault = event.details.get("key"), event.details.get("fault")
        address = counted_as(event.address or "")
        kind: _Kind = (has_key, address, event.actor, event.action, event.outcome, fault)
        if kind not in self._counted and self._kinds[has_key] >= MAX_KINDS:
            kind, event = (has_key,), _overflow_event(event)
        elif kind not in self._counted:
            self._kinds[has_key] += 1
        if (known := self._counted.get(kind)) is not None:
            known.repeats += 1
            return
        self._counted[kind] = _Counted(event)
        self._buffer.add(event)

    def flush(self) -> None:
        """Adds the counts since the last call to the buffer, and resets them."""
        for known in self._counted.values():
            if known.repeats:
                details = {**known.event.details, "times": known.repeats}
                details.pop("request_id", None)
                self._buffer.add(replace(known.event, details=details))
        self._counted.clear()
        self._kinds.clear()

    async def run(self) -> None:
        """Flushes every minute until it is cancelled."""
        while True:
            await asyncio.sleep(_PERIOD_SECONDS)
            self.flush()


@asynccontextmanager
async def open_refusal_log(buffer: AuditBuffer) -> AsyncGenerator[RefusalLog]:
    """Opens a refusal log; the end of the context adds the remaining counts to the buffer."""
    refusals = RefusalLog(buffer)
    running = asyncio.create_task(refusals.run(), name="refusals")
    try:
        yield refusals
    finally:
        await cancel_and_wait(running)
        refusals.flush()


def _overflow_event(event: AuditEvent) -> AuditEvent:
    return AuditEvent(
        actor=ANONYMOUS if event.actor == ANONYMOUS else MANY,
        source=event.source,
        action="many_refusals",
        target="of many kinds",
        outcome=AuditOutcome.REFUSED,
        details={"reason": "too many kinds of refusals within a minute to list each"},
    )


def _sanitized(event: AuditEvent, reason: str) -> AuditEvent:
    # Clients choose the path and more: control characters must reach neither PostgreSQL nor a terminal.
    return replace(
        event,
        target=_printable(event.target)[:_LONGEST_TARGET],
        address=_printable(event.address or "")[:LONGEST_ADDRESS] or None,
        details={**event.details, "reason": _printable(reason)[:_LONGEST_REASON]},
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
