"""A bulkhead: limits the database connections per endpoint, so that a slow one cannot take all."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from flexiprice.errors import DatabaseBusy

_RESERVED: Final = 2
"""Connections reserved for authentication, readiness and the audit log."""
_WAIT_SECONDS: Final = 2.0


class Bulkhead:
    """Limits the connections of each endpoint, and of all endpoints together.

    A request that gets none within the wait time is rejected.
    """

    def __init__(self, connections: int, *, wait_seconds: float = _WAIT_SECONDS) -> None:
        """Divides a pool.

        Args:
            connections: size of the pool.
            wait_seconds: longest wait of a request for a connection.
        """
        self._all = asyncio.Semaphore(max(1, connections - _RESERVED))
        self._share = max(1, connections // 2)
        self._by_endpoint: dict[str, asyncio.Semaphore] = {}
        self._wait_seconds = wait_seconds

    @asynccontextmanager
    async def turn(self, endpoint: str) -> AsyncGenerator[None]:
        """Reserves one connection for as long as the context lasts.

        Args:
            endpoint: name of the endpoint; requests of one name share a part of the pool.

        Raises:
            DatabaseBusy: the endpoint's part, or the whole pool, stayed in use.
        """
        share = self._by_endpoint.get(endpoint)
        if share is None:
            share = self._by_endpoint[endpoint] = asyncio.Semaphore(self._share)
        await self._acquire(share, "this endpoint's share of the database connections stayed busy; try again")
        try:
            await self._acquire(self._all, "every connection to the database stayed busy; try again")
            try:
                yield
            finally:
                self._all.release()
        finally:
            share.release()

    async def _acquire(self, semaphore: asyncio.Semaphore, refusal: str) -> None:
        if not semaphore.locked():
            # Never waits, so it needs no timer.
            await semaphore.acquire()
            return
        try:
            async with asyncio.timeout(self._wait_seconds):
                await semaphore.acquire()
        except TimeoutError:
            raise DatabaseBusy(refusal) from None
