"""Writing records of runs, however the database takes them."""

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.engine import database_errors
from flexiprice.db.sqlstate import BAD_VALUE, CONSTRAINT_VIOLATION, sqlstate_of
from flexiprice.errors import DatabaseUnavailable
from flexiprice.services.run_recording import RunRecord, record_runs
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
_WRITE_SECONDS: Final = 20.0
# The database understands what it is told, and cannot keep it.
_REFUSED: Final = (BAD_VALUE, CONSTRAINT_VIOLATION)


async def write_records(sessions: async_sessionmaker[AsyncSession], records: Sequence[RunRecord]) -> int:
    """Writes records by one statement, or by a few where the database refuses one of them.

    Returns:
        How many were refused for what they say; the log names them.

    Raises:
        DatabaseUnavailable: the database does not take them now.
    """
    try:
        async with asyncio.timeout(_WRITE_SECONDS):
            with database_errors():
                async with sessions.begin() as session:
                    await record_runs(session, records)
    except DatabaseUnavailable:
        raise
    except Exception as error:
        if not _is_refusal(error):
            raise DatabaseUnavailable(str(error) or "the database does not answer in time") from error
        if len(records) == 1:
            _LOGGER.exception("a run cannot be recorded", job_id=records[0].job_id, task=records[0].task)
            return 1
        # One that the database refuses must not keep back the others.
        middle = len(records) // 2
        return await write_records(sessions, records[:middle]) + await write_records(
            sessions, records[middle:]
        )
    return 0


def _is_refusal(error: Exception) -> bool:
    """It is for what the records say, and would be so at any time."""
    if isinstance(error, DBAPIError):
        return sqlstate_of(error.orig).startswith(_REFUSED)
    return isinstance(error, (TypeError, ValueError, RecursionError))
