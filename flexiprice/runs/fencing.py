"""Fences a worker that is declared dead: it can commit nothing more, even if it is only slow.

Each worker registers a row. Each transaction of its tasks begins with a shared lock on that row
(`receipts.begin_task`). Fencing terminates the worker's database sessions and marks the row. After that,
none of its transactions passes its first statement.
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
# PostgreSQL truncates longer names, so that two workers could share one.
_LONGEST_SESSION_NAME: Final = 63
_LOCK_TIMEOUT: Final = "250ms"
# Time that one query waits for one session to end.
_TERMINATE_TIMEOUT_MS: Final = 200

_SESSIONS: Final = table(
    "pg_stat_activity",
    column("pid", Integer),
    column("datname", String),
    column("application_name", String),
)


def session_name(worker_id: str) -> str:
    """Returns the `application_name` that all database sessions of a worker must carry.

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
    """Registers a worker, so that its tasks can commit. Idempotent; does not lift a fence."""
    values = {"id": worker_id, "host": host, "pid": pid, "started_at": started_at}
    await session.execute(insert(RegisteredWorker).values(values).on_conflict_do_nothing())


async def forget_worker(session: AsyncSession, worker_id: str) -> None:
    """Deregisters a worker that shuts down cleanly. The row of a fenced worker stays."""
    await session.execute(
        delete(RegisteredWorker).where(RegisteredWorker.id == worker_id, RegisteredWorker.lost_at.is_(None))
    )


async def fence_worker(
    sessions: async_sessionmaker[AsyncSession],
    worker_id: str,
    *,
    now: datetime | None = None,
    time_limit: timedelta = timedelta(seconds=10),
) -> int:
    """Terminates a dead worker's database sessions and prevents all further commits by it.

    On return, the worker's uncommitted work is rolled back, its locks are released, and its jobs may run on
    another worker. Opens several transactions of its own. Idempotent, and safe to call concurrently.

    Args:
        sessions: session factory of the caller.
        worker_id: the worker to fence; registered or not.
        now: instant of the declaration; None for PostgreSQL's clock.
        time_limit: time limit of the attempt.

    Returns:
        The number of terminated sessions.

    Raises:
        DatabaseUnavailable: PostgreSQL does not answer, or a session did not end. The worker may not be
            fenced, so its jobs must not run elsewhere.
    """
    name = session_name(worker_id)
    ended, marked = 0, False
    try:
        async with asyncio.timeout(time_limit.total_seconds()):
            while True:
                found, left = await _end_sessions(sessions, name)
                ended += found - left
                # Sessions that a live worker opens after this learn only that it is fenced.
                if marked and left == 0:
                    return ended
                marked = marked or await _mark_lost(sessions, worker_id, now)
    except TimeoutError as error:
        raise DatabaseUnavailable(f"sessions of the dead worker {worker_id} did not end in time") from error


async def _end_sessions(sessions: async_sessionmaker[AsyncSession], name: str) -> tuple[int, int]:
    """Terminates all sessions of a name; returns the numbers of sessions found and still alive."""
    columns = _SESSIONS.c
    ended = func.pg_terminate_backend(columns.pid, _TERMINATE_TIMEOUT_MS)
    query = select(func.count(), func.count().filter(~ended)).where(
        columns.application_name == name, columns.datname == func.current_database()
    )
    # A transaction keeps its first snapshot of pg_stat_activity, so every query needs a new one.
    async with sessions.begin() as session:
        found, left = (await session.execute(query)).one()
        return found, left


async def _mark_lost(
    sessions: async_sessionmaker[AsyncSession], worker_id: str, now: datetime | None
) -> bool:
    """Marks a worker as dead unless one of its tasks has an open transaction; returns the success."""
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
    """Deletes workers declared dead before an instant, which stay fenced; returns their number."""
    deleted = (
        delete(RegisteredWorker).where(RegisteredWorker.lost_at < before).returning(RegisteredWorker.id).cte()
    )
    return await session.scalar(select(func.count()).select_from(deleted)) or 0
