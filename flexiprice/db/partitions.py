"""Creates the monthly partitions of ledger, price history and events ahead, and drops old ones."""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime

from sqlalchemy import Connection, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.event_tables import StockEvent, StockMovement
from flexiprice.db.locks import Lock, acquire_sync
from flexiprice.db.sqlstate import LOCK_NOT_AVAILABLE
from flexiprice.db.tables import PriceDecision, PriceSnapshot
from flexiprice.errors import DatabaseBusy

MONTHS_AHEAD = 2
_EVENTS = (StockEvent.__tablename__, StockMovement.__tablename__)
_PARTITIONED = (PriceDecision.__tablename__, PriceSnapshot.__tablename__, *_EVENTS)
_PRESENT = text(
    "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid "
    "WHERE inhparent = ANY (CAST(CAST(:parents AS text[]) AS regclass[]))"
).bindparams(parents=list(_PARTITIONED))
_PARTITION = re.compile(rf"({'|'.join(_PARTITIONED)})_(\d{{4}})_(\d{{2}})")


def is_partition(table: str) -> bool:
    """Whether a table name is that of a monthly partition."""
    return _PARTITION.fullmatch(table) is not None


async def find_partitions(session: AsyncSession) -> AbstractSet[str]:
    """Returns the names of all monthly partitions."""
    connection = await session.connection()
    return await connection.run_sync(_present)


async def ensure_partitions(
    session: AsyncSession, *, now: datetime, present: AbstractSet[str] | None = None
) -> int:
    """Creates missing partitions of this month and the months ahead; returns the number created.

    Months are in UTC. Safe to call concurrently. Costs one query if none is missing.

    Args:
        session: a transaction; the caller commits it.
        now: an instant of this month.
        present: the result of `find_partitions`, which saves that query.
    """
    connection = await session.connection()
    return await connection.run_sync(ensure_partitions_on, now=now, present=present)


async def count_missing_partitions(session: AsyncSession, *, now: datetime) -> int:
    """Returns the number of partitions that `ensure_partitions` would create."""
    return len(_missing(await find_partitions(session), now))


async def ensure_event_partitions(session: AsyncSession, instants: Iterable[datetime]) -> int:
    """Creates missing partitions of events for the months of instants; returns the number created.

    A file of past sales needs months that no cleanup has created. Safe to call concurrently.
    """
    months = {month_of(instant) for instant in instants}
    needed = [(parent, month) for parent in _EVENTS for month in sorted(months)]
    connection = await session.connection()
    return await connection.run_sync(_ensure, needed)


def ensure_partitions_on(
    connection: Connection, *, now: datetime, present: AbstractSet[str] | None = None
) -> int:
    """Like `ensure_partitions`, on a synchronous connection."""
    if not _missing(_present(connection) if present is None else present, now):
        return 0
    return _ensure(connection, _missing(set(), now))


def _ensure(connection: Connection, needed: Iterable[tuple[str, datetime]]) -> int:
    present = _present(connection)
    if all(_name(parent, first) in present for parent, first in needed):
        return 0
    acquire_sync(connection, Lock.PARTITIONS)
    # Another transaction may have created them during the wait.
    present = _present(connection)
    missing = [(parent, first) for parent, first in needed if _name(parent, first) not in present]
    for parent, first in missing:
        _create(connection, parent, first)
    return len(missing)


async def drop_price_history_before(
    session: AsyncSession, *, instant: datetime, present: AbstractSet[str]
) -> int:
    """Drops partitions of the price history that end at or before an instant; returns the number dropped.

    A partition that another session locks stays until the next call. The ledger is kept for good.

    Args:
        session: a transaction; the caller commits it.
        instant: the end of the retention period.
        present: the result of `find_partitions`.
    """
    return await _drop_before(session, (PriceSnapshot.__tablename__,), instant, present)


async def drop_events_before(session: AsyncSession, *, instant: datetime, present: AbstractSet[str]) -> int:
    """Like `drop_price_history_before`, for events and the movements of stock."""
    return await _drop_before(session, _EVENTS, instant, present)


async def _drop_before(
    session: AsyncSession, parents: Iterable[str], instant: datetime, present: AbstractSet[str]
) -> int:
    old = [
        name
        for name in sorted(present)
        if name.startswith(tuple(parents)) and _following(_first_of(name)) <= instant
    ]
    return sum([await _drop(session, name) for name in old])


async def _drop(session: AsyncSession, name: str) -> bool:
    try:
        async with session.begin_nested():
            # Readers of the history queue behind this lock request, so it must not wait long.
            await session.execute(select(func.set_config("lock_timeout", "3s", True)))
            await session.execute(text(f"DROP TABLE {name}"))
    except DatabaseBusy as error:
        if error.details.get("sqlstate") != LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


def _present(connection: Connection) -> set[str]:
    return set(connection.execute(_PRESENT).scalars())


def _missing(present: AbstractSet[str], now: datetime) -> list[tuple[str, datetime]]:
    month, months = month_of(now), list[datetime]()
    for _ in range(MONTHS_AHEAD + 1):
        months.append(month)
        month = _following(month)
    return [
        (parent, first) for parent in _PARTITIONED for first in months if _name(parent, first) not in present
    ]


def _create(connection: Connection, parent: str, first: datetime) -> None:
    # Attach a table: creating it as a partition would block readers and writers of the parent until this
    # transaction ends.
    name = _name(parent, first)
    connection.execute(text(f"CREATE TABLE {name} (LIKE {parent} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)"))
    connection.execute(
        text(
            f"ALTER TABLE {parent} ATTACH PARTITION {name} "
            f"FOR VALUES FROM ('{first.isoformat()}') TO ('{_following(first).isoformat()}')"
        )
    )


def _name(parent: str, first: datetime) -> str:
    return f"{parent}_{first:%Y_%m}"


def _first_of(partition: str) -> datetime:
    found = _PARTITION.fullmatch(partition)
    if found is None:
        raise ValueError(f"{partition} is not a monthly partition")
    return datetime(int(found[2]), int(found[3]), 1, tzinfo=UTC)


def month_of(instant: datetime) -> datetime:
    """Returns the first instant of the month of an instant, in UTC."""
    return instant.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _following(first: datetime) -> datetime:
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
