"""Stops claiming while PostgreSQL refuses work, so that no attempts are used up."""

import asyncio
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.engine import database_errors
from flexiprice.db.probe import limit_waits, require_tables, require_writable
from flexiprice.errors import DatabaseBusy, DatabaseUnavailable, InvalidSettings
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
_INITIAL_BACKOFF_SECONDS: Final = 0.25
_MAX_BACKOFF_SECONDS: Final = 2.0
_PROBE_TIMEOUT_SECONDS: Final = 10.0


class DatabaseGate:
    """Closes when a job finds that the database refuses work; opens when a probe succeeds.

    A lock or a time limit that hinders one job does not close it: other jobs may succeed.
    """

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        """Starts open.

        Args:
            sessions: used for probes; not shared with tasks.
        """
        self._sessions = sessions
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether jobs may be claimed."""
        return self._probing is None

    def observe(self, error: BaseException | None) -> None:
        """Closes if the error of a run shows that PostgreSQL refuses work."""
        if isinstance(error, DatabaseUnavailable) and not isinstance(error, DatabaseBusy) and self.is_open:
            _LOGGER.warning("database_refuses_work", reason=error.message)
            self._probing = asyncio.create_task(self._probe_until_open(), name="database gate")

    async def aclose(self) -> None:
        """Stops probing."""
        if self._probing is not None:
            await cancel_and_wait(self._probing)

    async def _probe_until_open(self) -> None:
        started, pause = asyncio.get_running_loop().time(), _INITIAL_BACKOFF_SECONDS
        while not await self._accepts_work():
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_BACKOFF_SECONDS)
        self._probing = None
        seconds = round(asyncio.get_running_loop().time() - started, 1)
        _LOGGER.info("database_takes_work", away_seconds=seconds)

    async def _accepts_work(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS):
                with database_errors():
                    async with self._sessions.begin() as session:
                        await limit_waits(session)
                        await require_writable(session)
                        await require_tables(session)
        except (DatabaseUnavailable, InvalidSettings, SQLAlchemyError, OSError, TimeoutError) as error:
            _LOGGER.debug("database_still_refuses_work", reason=str(error))
            return False
        return True
