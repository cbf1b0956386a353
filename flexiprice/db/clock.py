"""The clock that decides a store's day, and so its prices: PostgreSQL's, whatever machine asks."""

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession

DATABASE_NOW: Final[ColumnElement[datetime]] = func.now()
"""The start of the transaction by PostgreSQL's clock, as an SQL expression: costs no round trip."""

_NOW: Final = select(DATABASE_NOW)
_CLOCK: Final[Select[datetime]] = select(func.clock_timestamp(type_=TIMESTAMP(timezone=True)))


async def database_now(session: AsyncSession) -> datetime:
    """The start of the session's transaction by PostgreSQL's clock, in UTC: one round trip."""
    return (await session.execute(_NOW)).scalar_one()


async def database_clock(session: AsyncSession) -> datetime:
    """The instant by PostgreSQL's clock at which it answers, in UTC, however long the transaction is open."""
    return (await session.execute(_CLOCK)).scalar_one()
