"""Caches the shop's metrics, so that frequent scrapes do not load PostgreSQL."""

import time
from typing import Final

from api.transactions import Transactions
from flexiprice.db.clock import database_now
from flexiprice.pricing.stock_value import count_discounts
from flexiprice.queue.declarations import SCHEDULES
from flexiprice.runs.recent import list_last_successes
from flexiprice.snapshots import ShopSnapshot

# Counting the discounts of a large shop takes tens of milliseconds.
_CACHE_SECONDS: Final = 10.0


class ShopFigures:
    """Reads the metrics of the shop, and caches them for ten seconds."""

    def __init__(self, transactions: Transactions) -> None:
        """Starts with an empty cache."""
        self._transactions = transactions
        self._cached: tuple[float, ShopSnapshot] | None = None

    async def read(self) -> ShopSnapshot:
        """Returns the metrics, at most ten seconds old.

        Raises:
            DatabaseUnavailable: PostgreSQL does not answer.
        """
        if self._cached is None or time.monotonic() - self._cached[0] >= _CACHE_SECONDS:
            self._cached = (time.monotonic(), await self._count())
        return self._cached[1]

    async def _count(self) -> ShopSnapshot:
        async with self._transactions.for_health() as session:
            open_, expired = await count_discounts(session, now=await database_now(session))
            tasks = [schedule.task.name for schedule in SCHEDULES]
            last = await list_last_successes(session, tasks)
        return ShopSnapshot(discounts=open_, expired_discounts=expired, last_success=last)
