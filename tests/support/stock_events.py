"""Events for tests: one call an event, with a default for every field that a test leaves out."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.tables import Batch, Store
from flexiprice.domain.quantity import THOUSANDTHS
from flexiprice.domain.stock_event import EventKind
from flexiprice.events.event_row import EventIdentityKey, EventRow
from flexiprice.events.recording import record_events
from flexiprice.events.report import ChunkResult
from tests.support.builders import DAY, NOON


def an_event(
    line_id: str,
    *,
    kind: EventKind = EventKind.SALE,
    units: int | str = 1,
    at: datetime = NOON,
    sku: str | None = "RYE",
    gtin: str | None = None,
    price: str | None = None,
    lot: str | None = None,
    expiry_date: date | None = None,
    source: str = "till",
    store_id: int = 1,
    line: int = 1,
) -> EventRow:
    return EventRow(
        line=line,
        kind=kind,
        key=EventIdentityKey(store_id, source, line_id),
        store="main",
        occurred_at=at,
        day=at.date(),
        sku=sku,
        gtin=gtin,
        quantity=int(Decimal(units) * THOUSANDTHS),
        unit_price=None if price is None else Decimal(price),
        lot=lot,
        expiry_date=expiry_date,
    )


def a_delivery(line_id: str, units: int, *, days: int = 0, **fields) -> EventRow:
    day = DAY + timedelta(days=days)
    return an_event(line_id, kind=EventKind.DELIVERY, units=units, expiry_date=day, **fields)


def a_count(line_id: str, units: int, **fields) -> EventRow:
    return an_event(line_id, kind=EventKind.COUNT, units=units, **fields)


async def record(session: AsyncSession, *events: EventRow) -> ChunkResult:
    """Records events in one chunk."""
    return await record_events(session, events)


async def record_one_by_one(session: AsyncSession, events: Iterable[EventRow]) -> None:
    for event in events:
        assert not (await record(session, event)).bad


async def main_store_id(session: AsyncSession) -> int:
    return (await session.execute(select(Store.id).where(Store.code == "main"))).scalar_one()


async def stock(session: AsyncSession) -> dict[date, int]:
    """The units of all batches by expiry date."""
    rows = await session.execute(
        select(Batch.expiry_date, func.sum(Batch.quantity)).group_by(Batch.expiry_date)
    )
    return {day: int(units) for day, units in rows}
