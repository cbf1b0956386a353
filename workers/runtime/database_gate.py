"""While PostgreSQL refuses work, a worker takes no jobs: no try is used up, and all run when it heals."""

import asyncio
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.db.engine import database_errors
from flexiprice.db.probe import limit_waits, require_tables, require_writable
from flexiprice.errors import DatabaseBusy, DatabaseUnavailable, InvalidSettings
from flexiprice.queue.redis.cancellation import cancelled
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
_FIRST_PAUSE: Final = 0.25
_LONGEST_PAUSE: Final = 2.0
_PROBE_SECONDS: Final = 10.0


class DatabaseGate:
    """Shut from when a job meets a database that refuses work until a probe finds that it would take it.

    A lock or a time limit in the way of one job does not shut it: others may well run.
    """

    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        """Prepares it.

        Args:
            sessions: for the probes; never a task's.
        """
        self._sessions = sessions
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether jobs may be taken."""
        return self._probing is None

    def heed(self, error: BaseException | None) -> None:
        """Shuts where this is how a run ended because PostgreSQL refuses work."""
        if isinstance(error, DatabaseUnavailable) and not isinstance(error, DatabaseBusy) and self.is_open:
            _LOGGER.warning("database_refuses_work", reason=error.message)
            self._probing = asyncio.create_task(self._probe_until_healed(), name="database gate")

    async def aclose(self) -> None:
        """Ends the probing."""
        if self._probing is not None:
            await cancelled(self._probing)

    async def _probe_until_healed(self) -> None:
        began, pause = asyncio.get_running_loop().time(), _FIRST_PAUSE
        while not await self._takes_work():
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self._probing = None
        seconds = round(asyncio.get_running_loop().time() - began, 1)
        _LOGGER.info("database_takes_work", away_seconds=seconds)

    async def _takes_work(self) -> bool:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                with database_errors():
                    async with self._sessions.begin() as session:
                        await limit_waits(session)
                        await require_writable(session)
                        await require_tables(session)
        except (DatabaseUnavailable, InvalidSettings, SQLAlchemyError, OSError, TimeoutError) as error:
            _LOGGER.debug("database_still_refuses_work", reason=str(error))
            return False
        return True
