"""PostgreSQL's clock, which decides the local dates of stores, and so prices, for every client."""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession

DATABASE_NOW: Final[ColumnElement[datetime]] = func.now()
"""The start of the transaction by PostgreSQL's clock, as an SQL expression without a round trip."""

_NOW: Final = select(DATABASE_NOW)
_CLOCK: Final[Select[datetime]] = select(func.clock_timestamp(type_=TIMESTAMP(timezone=True)))


async def database_now(session: AsyncSession) -> datetime:
    """Returns the start of the transaction by PostgreSQL's clock, in UTC; one round trip."""
    return (await session.execute(_NOW)).scalar_one()


async def database_clock(session: AsyncSession) -> datetime:
    """Returns the current instant by PostgreSQL's clock, in UTC, not the start of the transaction."""
    return (await session.execute(_CLOCK)).scalar_one()
