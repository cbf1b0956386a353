"""One checkout's part in `tests.bench.against`: does the work that it is asked for, a line at a time.

`python -m tests.bench.turns URL BATCHES` fills a shop in an empty database. For each name of a kind of
work on standard input it prints the milliseconds that the work took.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from itertools import count

from flexiprice.db.migrate import upgrade
from flexiprice.pricing.cleanup import cleanup_expired_discounts
from flexiprice.pricing.price_history import SLOT, slot_of, update_price_history
from tests.bench.comparison import timed
from tests.bench.recompute import change_prices
from tests.bench.shop import Shop, shop


class Turns:
    """The kinds of work, each of which leaves the shop as it found it.

    Args:
        opened: the shop.
    """

    def __init__(self, opened: Shop) -> None:
        self._shop = opened
        self._turns = count()
        self._slots = (slot_of(opened.now) + number * SLOT for number in count(1))
        self.kinds: dict[str, Callable[[], Awaitable[float]]] = {
            "first run": self._first_run,
            "nothing changed": self._nothing_changed,
            "3% changed": self._three_percent_changed,
            "price snapshot": self._snapshot,
            "cleanup": self._clean_up,
        }

    async def _first_run(self) -> float:
        await self._shop.close_all()
        taken = await timed(self._shop.recompute())
        await self._shop.settle()
        return taken

    async def _nothing_changed(self) -> float:
        return await timed(self._shop.recompute())

    async def _three_percent_changed(self) -> float:
        await change_prices(self._shop, next(self._turns))
        return await timed(self._shop.recompute())

    async def _snapshot(self) -> float:
        async def record() -> None:
            async with self._shop.sessions.begin() as session:
                await update_price_history(session, slot_at=next(self._slots), now=self._shop.now)

        return await timed(record())

    async def _clean_up(self) -> float:
        tomorrow = self._shop.now + timedelta(days=1)

        async def clean_up() -> None:
            async with self._shop.sessions.begin() as session:
                await cleanup_expired_discounts(session, now=tomorrow, history_retention_days=730)

        taken = await timed(clean_up())
        await self._shop.recompute()
        await self._shop.outside_transaction("VACUUM discounts")
        return taken


async def take_turns(url: str, batches: int) -> None:
    """Fills a shop, and works until standard input ends."""
    async with shop(url, batches) as opened:
        turns = Turns(opened)
        await opened.recompute()
        await opened.settle()
        print("ready", flush=True)
        for line in sys.stdin:
            print(await turns.kinds[line.strip()]() * 1000, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.turns", description=__doc__.splitlines()[0])
    parser.add_argument("url", help="of an empty database")
    parser.add_argument("batches", type=int, help="size of the shop")
    asked = parser.parse_args()
    upgrade(asked.url)
    asyncio.run(take_turns(asked.url, asked.batches))


if __name__ == "__main__":
    main()
