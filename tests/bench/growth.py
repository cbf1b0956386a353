"""The growth of the table of current discounts while 3% of it change again and again."""

from dataclasses import dataclass

from tests.bench.recompute import change_prices
from tests.bench.shop import Shop


@dataclass(frozen=True)
class Growth:
    """Bytes of the table with its index, before and after."""

    batches: int
    rounds: int
    before: int
    after: int
    hot_updates: float

    @property
    def share(self) -> float:
        return self.after / self.before - 1


async def growth(shop: Shop, *, rounds: int = 50) -> Growth:
    """Measures it from a table that was just filled."""
    await shop.close_all()
    await shop.recompute()
    before = await _size(shop)
    counted = await _updates(shop)
    for turn in range(rounds):
        await change_prices(shop, turn)
        await shop.recompute()
    hot, all_ = (after - earlier for after, earlier in zip(await _updates(shop), counted, strict=True))
    return Growth(shop.batches, rounds, before, await _size(shop), hot / all_)


async def _size(shop: Shop) -> int:
    return await shop.value("SELECT pg_total_relation_size('discounts')")


async def _updates(shop: Shop) -> tuple[int, int]:
    await shop.execute("SELECT pg_stat_force_next_flush()")
    counter = "SELECT {} FROM pg_stat_user_tables WHERE relname = 'discounts'"
    return await shop.value(counter.format("n_tup_hot_upd")), await shop.value(counter.format("n_tup_upd"))
