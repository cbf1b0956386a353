"""An overview of all stores: local date, number of batches, number of discounts."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.local_dates import local_dates
from flexiprice.db.tables import Batch, Discount, Store


@dataclass(frozen=True, slots=True)
class StoreOverview:
    """A store with its counts.

    Attributes:
        code: its short name.
        time_zone: IANA name of its time zone.
        today: its local date.
        batches: the number of its batches.
        discounts: the number of its batches with an open discount.
    """

    code: str
    time_zone: str
    today: date
    batches: int
    discounts: int
    created_at: datetime
    updated_at: datetime


async def list_store_overviews(session: AsyncSession, *, now: datetime) -> tuple[StoreOverview, ...]:
    """Lists all stores by code, with local dates at `now`."""
    counts = (
        select(
            Batch.store_id,
            func.count().label("batches"),
            func.count(Discount.batch_id).label("discounts"),
        )
        .outerjoin(Discount, Discount.batch_id == Batch.id)
        .group_by(Batch.store_id)
        .subquery()
    )
    days = local_dates(now)
    query = (
        select(
            Store.code,
            Store.time_zone,
            days.c.day,
            func.coalesce(counts.c.batches, 0),
            func.coalesce(counts.c.discounts, 0),
            Store.created_at,
            Store.updated_at,
        )
        .join(days, days.c.store_id == Store.id)
        .outerjoin(counts, counts.c.store_id == Store.id)
        .order_by(Store.code)
    )
    return tuple(StoreOverview(*row) for row in await session.execute(query))
