"""Drops events whose retention has ended, with their identities."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.partitions import drop_events_before, find_partitions, month_of
from flexiprice.events.identities import drop_identities_before


async def purge_events(session: AsyncSession, *, now: datetime, retention_days: int) -> int:
    """Drops the months of events that are entirely older than the retention; returns what was dropped.

    An identity is kept for as long as its event. Idempotent.

    Args:
        session: a transaction; the caller commits it.
        now: the present instant.
        retention_days: days that events are kept.

    Returns:
        The number of dropped partitions, identities, and events that were set aside.
    """
    oldest = month_of(now - timedelta(days=retention_days))
    partitions = await drop_events_before(session, instant=oldest, present=await find_partitions(session))
    return partitions + await drop_identities_before(session, instant=oldest)
