"""Keeps a worker that counts as lost from committing anything, whether it is dead or only slow.

A worker registers a row of its own, and each of its tasks' transactions begins by sharing a lock on it
(`receipts.begin_task`). Fencing ends its sessions, wherever they hang, and marks the row; from then on
none of its transactions gets beyond its first statement.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Integer, String, column, delete, func, select, table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.operations_tables import RegisteredWorker
from flexiprice.db.sqlstate import LOCK_NOT_AVAILABLE
from flexiprice.errors import DatabaseBusy, DatabaseUnavailable

_PREFIX: Final = "flexiprice-worker:"
# PostgreSQL cuts the name of a session here, and two workers might be left with one name.
_LONGEST_SESSION_NAME: Final = 63
_LOCK_TIMEOUT: Final = "250ms"
# How long one look waits for one session to end, in milliseconds.
_END_WITHIN: Final = 200

_SESSIONS: Final = table(
    "pg_stat_activity",
    column("pid", Integer),
    column("datname", String),
    column("application_name", String),
)


def session_name(worker_id: str) -> str:
    """What all of a worker's database sessions must be called (`application_name`).

    Raises:
        ValueError: the id is empty, too long, or not plain ASCII, so that PostgreSQL would change it.
    """
    name = _PREFIX + worker_id
    if not worker_id or not name.isascii() or not name.isprintable() or len(name) > _LONGEST_SESSION_NAME:
        most = _LONGEST_SESSION_NAME - len(_PREFIX)
        raise ValueError(f"a worker's id must have 1 to {most} printable ASCII characters: {worker_id!r}")
    return name


async def register_worker(
    session: AsyncSession, *, worker_id: str, host: str, pid: int, started_at: datetime
) -> None:
    """Lets a worker's tasks commit. Repeating it changes nothing, nor does it undo that it was lost."""
    values = {"id": worker_id, "host": host, "pid": pid, "started_at": started_at}
    await session.execute(insert(RegisteredWorker).values(values).on_conflict_do_nothing())


async def forget_worker(session: AsyncSession, worker_id: str) -> None:
    """Takes back what `register_worker` gave, when a worker ends in order; one that was lost stays known."""
    await session.execute(
        delete(RegisteredWorker).where(RegisteredWorker.id == worker_id, RegisteredWorker.lost_at.is_(None))
    )


async def fence_worker(
    sessions: async_sessionmaker[AsyncSession],
    worker_id: str,
    *,
    now: datetime | None = None,
    patience: timedelta = timedelta(seconds=10),
) -> int:
    """Ends a lost worker's database sessions and keeps it from committing anything ever after.

    When it returns, whatever the worker had not committed is undone, its locks are free, and its jobs
    may run elsewhere. Takes transactions of its own, several of them; safe to repeat, and safe when two
    do it at once.

    Args:
        sessions: makes the sessions of whoever fences.
        worker_id: whom to fence; registered or not.
        now: when it counts as lost; None for the instant by PostgreSQL's clock.
        patience: how long to try.

    Returns:
        How many sessions were ended.

    Raises:
        DatabaseUnavailable: PostgreSQL is away, or a session would not end; nothing may be concluded.
    """
    name = session_name(worker_id)
    ended, marked = 0, False
    try:
        async with asyncio.timeout(patience.total_seconds()):
            while True:
                found, left = await _end_sessions(sessions, name)
                ended += found - left
                # What a worker that still lives opens from here on only learns that it is fenced.
                if marked and left == 0:
                    return ended
                marked = marked or await _mark_lost(sessions, worker_id, now)
    except TimeoutError as error:
        raise DatabaseUnavailable(f"sessions of the lost worker {worker_id} would not end in time") from error


async def _end_sessions(sessions: async_sessionmaker[AsyncSession], name: str) -> tuple[int, int]:
    """Ends all sessions of a name; returns how many there were, and how many are still there."""
    here = _SESSIONS.c
    ended = func.pg_terminate_backend(here.pid, _END_WITHIN)
    query = select(func.count(), func.count().filter(~ended)).where(
        here.application_name == name, here.datname == func.current_database()
    )
    # A transaction sees the sessions as they were when it looked first, so every look is one of its own.
    async with sessions.begin() as session:
        found, left = (await session.execute(query)).one()
        return found, left


async def _mark_lost(
    sessions: async_sessionmaker[AsyncSession], worker_id: str, now: datetime | None
) -> bool:
    """Marks a worker as lost, if none of its tasks has a transaction open; returns whether it did."""
    marking = insert(RegisteredWorker).values(id=worker_id, lost_at=now or func.now())
    marking = marking.on_conflict_do_update(
        index_elements=[RegisteredWorker.id],
        set_={"lost_at": func.coalesce(RegisteredWorker.lost_at, marking.excluded.lost_at)},
    )
    try:
        async with sessions.begin() as session:
            await session.execute(select(func.set_config("lock_timeout", _LOCK_TIMEOUT, True)))
            await session.execute(marking)
    except DatabaseBusy as error:
        if error.details.get("sqlstate") != LOCK_NOT_AVAILABLE:
            raise
        return False
    return True


async def purge_lost_workers(session: AsyncSession, *, before: datetime) -> int:
    """Forgets the workers that were lost before an instant, which stay fenced; returns how many."""
    gone = (
        delete(RegisteredWorker).where(RegisteredWorker.lost_at < before).returning(RegisteredWorker.id).cte()
    )
    return await session.scalar(select(func.count()).select_from(gone)) or 0
