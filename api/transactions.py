"""Opens the API's transactions by kind of work, each within its endpoint's share of the pool."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from api.bulkhead import Bulkhead
from flexiprice.db.engine import database_errors
from flexiprice.db.probe import limit_waits, require_writable
from flexiprice.db.sqlstate import WRITES_REFUSED
from flexiprice.db.work import Work, for_work
from flexiprice.errors import DatabaseUnavailable

_REFUSAL_SECONDS: Final = 15.0
"""Time for which a rejected write makes the API unready, unless a later one succeeds."""
_PROBE_SECONDS: Final = 1.0
"""Time for which the result of a probe is cached: readiness is public, so clients may request it often."""


class Transactions:
    """Opens transactions for endpoints, and tracks whether PostgreSQL accepts writes."""

    def __init__(self, engine: AsyncEngine, *, connections: int) -> None:
        """Prepares the session factories.

        Args:
            engine: the database engine.
            connections: size of its pool.
        """
        self._sessions = {
            work: async_sessionmaker(for_work(engine, work), expire_on_commit=False)
            for work in (Work.READ, Work.WRITE, Work.RECOMPUTE)
        }
        self._bulkhead = Bulkhead(connections)
        self._refused: tuple[float, DatabaseUnavailable] | None = None
        self._probed: tuple[float, DatabaseUnavailable | None] | None = None

    @asynccontextmanager
    async def begin(self, work: Work, *, endpoint: str) -> AsyncGenerator[AsyncSession]:
        """Opens a transaction of an endpoint.

        Raises:
            DatabaseUnavailable: PostgreSQL is unavailable.
            DatabaseBusy: other work blocked it for too long.
        """
        async with self._bulkhead.turn(endpoint):
            try:
                with database_errors():
                    async with self._sessions[work].begin() as session:
                        yield session
            except DatabaseUnavailable as error:
                sqlstate = str(error.details.get("sqlstate", ""))
                if work is not Work.READ and sqlstate.startswith(WRITES_REFUSED):
                    self._refused = (time.monotonic(), error)
                raise
        if work is Work.WRITE:
            self._refused = None

    @asynccontextmanager
    async def for_health(self) -> AsyncGenerator[AsyncSession]:
        """Opens a transaction for health checks and metrics, on a connection reserved from endpoints.

        Raises:
            DatabaseUnavailable: PostgreSQL does not answer.
        """
        with database_errors():
            async with self._sessions[Work.READ].begin() as session:
                await limit_waits(session)
                yield session

    async def require_writable(self) -> None:
        """Checks that PostgreSQL accepts writes, by a probe and by the results of the latest writes.

        Raises:
            DatabaseUnavailable: it does not; the error has the reason.
        """
        if self._refused is not None and time.monotonic() - self._refused[0] < _REFUSAL_SECONDS:
            raise self._refused[1]
        if self._probed is None or time.monotonic() - self._probed[0] >= _PROBE_SECONDS:
            self._probed = (time.monotonic(), await self._probe())
        if self._probed[1] is not None:
            raise self._probed[1]

    async def _probe(self) -> DatabaseUnavailable | None:
        try:
            async with self.for_health() as session:
                await require_writable(session)
        except DatabaseUnavailable as error:
            return error
        return None
