"""What the metrics tell of the shop: read from PostgreSQL now and then, however often they are asked for."""

import time
from typing import Final

from api.transactions import Transactions
from flexiprice.db.clock import database_now
from flexiprice.pricing.stock_value import count_discounts
from flexiprice.queue.declarations import SCHEDULES
from flexiprice.runs.recent import list_last_successes
from flexiprice.snapshots import ShopSnapshot

# Counting the discounts of a large shop takes tens of milliseconds.
_KEPT_SECONDS: Final = 10.0


class ShopFigures:
    """Reads them, and remembers them for a while."""

    def __init__(self, transactions: Transactions) -> None:
        """Reads nothing yet."""
        self._transactions = transactions
        self._kept: tuple[float, ShopSnapshot] | None = None

    async def read(self) -> ShopSnapshot:
        """The figures, at most a few seconds old.

        Raises:
            DatabaseUnavailable: PostgreSQL does not answer.
        """
        if self._kept is None or time.monotonic() - self._kept[0] >= _KEPT_SECONDS:
            self._kept = (time.monotonic(), await self._count())
        return self._kept[1]

    async def _count(self) -> ShopSnapshot:
        async with self._transactions.for_health() as session:
            open_, expired = await count_discounts(session, now=await database_now(session))
            tasks = [schedule.task.name for schedule in SCHEDULES]
            last = await list_last_successes(session, tasks)
        return ShopSnapshot(discounts=open_, expired_discounts=expired, last_success=last)
