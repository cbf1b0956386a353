"""Registers a worker in PostgreSQL, where its row fences it."""

import asyncio
import os
import socket
from contextlib import suppress
from datetime import datetime
from typing import Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.engine import database_errors
from flexiprice.errors import DatabaseUnavailable
from flexiprice.runs.fencing import forget_worker, register_worker
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
_RETRY_SECONDS: Final = 0.5
# A stopping worker waits at most this long for PostgreSQL to delete its row.
_FORGET_TIMEOUT_SECONDS: Final = 2.0


def new_worker_id() -> str:
    """Returns an id for a worker of this process."""
    # Short ASCII, because it is part of the name of a database session.
    host = socket.gethostname().encode("ascii", errors="replace").decode()[:20]
    return f"{host}:{os.getpid()}:{uuid4().hex[:8]}"


async def write_row(
    sessions: async_sessionmaker[AsyncSession], worker_id: str, *, started_at: datetime
) -> None:
    """Writes the row of a worker of this process. Waits while PostgreSQL is unavailable."""
    host, pid, is_logged = socket.gethostname(), os.getpid(), False
    while True:
        try:
            with database_errors():
                async with sessions.begin() as session:
                    await register_worker(
                        session, worker_id=worker_id, host=host, pid=pid, started_at=started_at
                    )
        except DatabaseUnavailable as error:
            if not is_logged:
                _LOGGER.warning("database_unavailable", error=str(error))
            is_logged = True
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


async def delete_row(sessions: async_sessionmaker[AsyncSession], worker_id: str) -> None:
    """Deletes the row of a worker, if PostgreSQL answers soon."""
    with suppress(DatabaseUnavailable, TimeoutError):
        async with asyncio.timeout(_FORGET_TIMEOUT_SECONDS):
            with database_errors():
                async with sessions.begin() as session:
                    await forget_worker(session, worker_id)
