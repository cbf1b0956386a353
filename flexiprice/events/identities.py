"""Claims the identities of events, and finds those that are recorded already."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import BigInteger, DateTime, Integer, LargeBinary, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.events.event_row import EventIdentityKey, EventRow

_DELETED_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True)
class KnownEvent:
    """A recorded event: its id, the instant at which it occurred, and the hash of its content."""

    event_id: int
    occurred_at: datetime
    digest: bytes

    def __str__(self) -> str:
        return f"event {self.event_id} of {self.occurred_at.astimezone(UTC).isoformat()}"


async def find_known(
    session: AsyncSession, keys: Iterable[EventIdentityKey]
) -> Mapping[EventIdentityKey, KnownEvent]:
    """Returns the recorded events of identities."""
    rows = await session.execute(_FIND, _columns(list(keys)))
    return {
        EventIdentityKey(store_id, source, line_id): KnownEvent(event_id, occurred_at, bytes(digest))
        for store_id, source, line_id, event_id, occurred_at, digest in rows
    }


async def claim(session: AsyncSession, rows: Sequence[EventRow]) -> Mapping[EventIdentityKey, int]:
    """Claims the identities of events; returns their ids, without those that another transaction claimed.

    Waits for other transactions that claim one of them.
    """
    # In one order, so that two transactions with the same events do not wait for each other.
    ordered = sorted(rows, key=lambda row: (row.key.store_id, row.key.source, row.key.line_id))
    values = {
        **_columns([row.key for row in ordered]),
        "instants": [row.occurred_at for row in ordered],
        "digests": [row.digest for row in ordered],
    }
    claimed = await session.execute(_CLAIM, values)
    return {
        EventIdentityKey(store_id, source, line_id): event_id
        for store_id, source, line_id, event_id in claimed
    }


async def keep_set_aside(session: AsyncSession, differing: Sequence[tuple[EventRow, KnownEvent]]) -> None:
    """Keeps events whose identity has other content; the same one again is kept once."""
    if not differing:
        return
    values = {
        **_columns([row.key for row, _ in differing]),
        "firsts": [first.event_id for _, first in differing],
        "instants": [first.occurred_at for _, first in differing],
        "digests": [row.digest for row, _ in differing],
        "contents": [json.dumps(row.content()) for row, _ in differing],
    }
    await session.execute(_SET_ASIDE, values)


async def drop_identities_before(session: AsyncSession, *, instant: datetime) -> int:
    """Deletes the identities of dropped events, and what was set aside before; returns their number."""
    dropped = 0
    for statement in (_DROP_IDENTITIES, _DROP_SET_ASIDE):
        while True:
            values = {"instant": instant, "most": _DELETED_AT_ONCE}
            deleted = (await session.execute(statement, values)).scalar_one()
            dropped += deleted
            if deleted < _DELETED_AT_ONCE:
                break
    return dropped


def _columns(keys: Sequence[EventIdentityKey]) -> dict[str, object]:
    return {
        "stores": [key.store_id for key in keys],
        "sources": [key.source for key in keys],
        "lines": [key.line_id for key in keys],
    }


_STORES: Final = bindparam("stores", type_=ARRAY(Integer))
_SOURCES: Final = bindparam("sources", type_=ARRAY(String))
_LINES: Final = bindparam("lines", type_=ARRAY(String))
_INSTANTS: Final = bindparam("instants", type_=ARRAY(DateTime(timezone=True)))
_DIGESTS: Final = bindparam("digests", type_=ARRAY(LargeBinary))

_FIND: Final = text(
    """
    SELECT known.store_id, known.source, known.line_id, known.event_id, known.occurred_at, known.digest
    FROM unnest(:stores, :sources, :lines) AS given (store_id, source, line_id)
    JOIN event_identities AS known USING (store_id, source, line_id)
    """
).bindparams(_STORES, _SOURCES, _LINES)

_CLAIM: Final = text(
    """
    INSERT INTO event_identities (store_id, source, line_id, occurred_at, digest)
    SELECT * FROM unnest(:stores, :sources, :lines, :instants, :digests)
    ON CONFLICT DO NOTHING
    RETURNING store_id, source, line_id, event_id
    """
).bindparams(_STORES, _SOURCES, _LINES, _INSTANTS, _DIGESTS)

_SET_ASIDE: Final = text(
    """
    INSERT INTO set_aside_events (
        first_event_id, first_occurred_at, store_id, source, line_id, digest, content
    )
    SELECT first, instant, store, source, line, digest, CAST(content AS jsonb)
    FROM unnest(:firsts, :instants, :stores, :sources, :lines, :digests, :contents)
        AS given (first, instant, store, source, line, digest, content)
    ON CONFLICT DO NOTHING
    """
).bindparams(
    bindparam("firsts", type_=ARRAY(BigInteger)),
    bindparam("contents", type_=ARRAY(String)),
    _STORES,
    _SOURCES,
    _LINES,
    _INSTANTS,
    _DIGESTS,
)

_DROP_IDENTITIES: Final = text(
    """
    WITH old AS (
        SELECT ctid FROM event_identities WHERE occurred_at < :instant LIMIT CAST(:most AS integer)
    ), deleted AS (
        DELETE FROM event_identities WHERE ctid = ANY (ARRAY(SELECT ctid FROM old)) RETURNING 1
    )
    SELECT count(*) FROM deleted
    """
).bindparams(bindparam("instant", type_=DateTime(timezone=True)))

_DROP_SET_ASIDE: Final = text(
    """
    WITH old AS (
        SELECT id FROM set_aside_events WHERE set_aside_at < :instant LIMIT CAST(:most AS integer)
    ), deleted AS (
        DELETE FROM set_aside_events WHERE id = ANY (ARRAY(SELECT id FROM old)) RETURNING 1
    )
    SELECT count(*) FROM deleted
    """
).bindparams(bindparam("instant", type_=DateTime(timezone=True)))
