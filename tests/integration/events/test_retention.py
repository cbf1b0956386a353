"""Events are dropped by whole months after their retention, with their identities."""

from datetime import timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.event_tables import EventIdentity, SetAsideEvent, StockEvent
from flexiprice.events.retention import purge_events
from tests.support.builders import NOON, a_product
from tests.support.stock_events import a_delivery, record


async def identities(session: AsyncSession) -> set[str]:
    return set((await session.execute(select(EventIdentity.line_id))).scalars())


async def test_months_past_their_retention_are_dropped_with_their_identities(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    old, kept = NOON - timedelta(days=100), NOON - timedelta(days=60)
    await record(session, a_delivery("old", 1, at=old), a_delivery("kept", 1, at=kept))
    await record(session, a_delivery("old", 2, at=old), a_delivery("kept", 2, at=kept))
    await session.execute(text("UPDATE set_aside_events SET set_aside_at = first_occurred_at"))
    # 2026-03-10 less 60 days is in January; November and the identities in it are older.
    dropped = await purge_events(session, now=NOON, retention_days=60)
    assert dropped == 4, "two partitions, an identity, and what was set aside"
    assert await identities(session) == {"kept"}
    assert list((await session.execute(select(StockEvent.line_id))).scalars()) == ["kept"]
    assert list((await session.execute(select(SetAsideEvent.line_id))).scalars()) == ["kept"]
    assert await purge_events(session, now=NOON, retention_days=60) == 0


async def test_an_identity_is_kept_for_as_long_as_its_event(session: AsyncSession) -> None:
    await a_product(session, sku="RYE")
    first_of_january = NOON.replace(month=1, day=1)
    await record(session, a_delivery("1", 1, at=first_of_january))
    await purge_events(session, now=NOON, retention_days=60)
    again = await record(session, a_delivery("1", 1, at=first_of_january))
    assert again.ignored == 1
