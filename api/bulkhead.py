"""Connections shared among endpoints so that a slow one cannot take all of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from flexiprice.errors import DatabaseBusy

_RESERVED: Final = 2
"""Connections that no endpoint takes: for keys, readiness and the audit."""
_WAIT_SECONDS: Final = 2.0


class Bulkhead:
    """Limits how many connections one endpoint holds, and how many all of them do.

    Whoever does not get one in time is refused; nobody waits without end.
    """

    def __init__(self, connections: int, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        """Prepares it.

        Args:
            connections: of the pool that is shared.
            wait_seconds: how long a request waits for its turn.
        """
        self._all = asyncio.Semaphore(max(1, connections - _RESERVED))
        self._share = max(1, connections // 2)
        self._of_endpoint: dict[str, asyncio.Semaphore] = {}
        self._wait_seconds = wait_seconds

    @asynccontextmanager
    async def turn(self, endpoint: str) -> AsyncGenerator[None]:
        """Holds one connection's worth of room for as long as the context lasts.

        Args:
            endpoint: who asks; those of one name share a part of the pool.

        Raises:
            DatabaseBusy: the endpoint's part, or all of it, stayed taken.
        """
        mine = self._of_endpoint.get(endpoint)
        if mine is None:
            mine = self._of_endpoint[endpoint] = asyncio.Semaphore(self._share)
        await self._take(mine, "this endpoint's share of the database connections stayed busy; try again")
        try:
            await self._take(self._all, "every connection to the database stayed busy; try again")
            try:
                yield
            finally:
                self._all.release()
        finally:
            mine.release()

    async def _take(self, room: asyncio.Semaphore, refusal: str) -> None:
        if not room.locked():
            # Never waits, and so needs no timer.
            await room.acquire()
            return
        try:
            async with asyncio.timeout(self._wait_seconds):
                await room.acquire()
        except TimeoutError:
            raise DatabaseBusy(refusal) from None
