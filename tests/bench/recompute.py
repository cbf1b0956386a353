"""Recompute against its floors: a first run, nothing changed, 3% changed."""

from itertools import count

from tests.bench.comparison import Comparison, timed
from tests.bench.floors import (
    INSERT_DISCOUNTS,
    SCAN_AND_JOIN,
    UPDATE_DISCOUNTS,
    insert_decisions,
    keep_rows,
)
from tests.bench.limits import FIRST_RUN, NOTHING_CHANGED, SOME_CHANGED
from tests.bench.shop import Shop

_WRITTEN = """
    SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables
    WHERE relname ~ '^(discounts|price_decisions)'
"""


async def first_run(shop: Shop, *, rounds: int) -> Comparison:
    """Every discount opens."""
    await shop.recompute()
    await shop.execute(*keep_rows("SELECT batch_id FROM discounts ORDER BY batch_id"))
    today = shop.now.date()

    async def floor() -> float:
        await shop.close_all()
        writes = (INSERT_DISCOUNTS, insert_decisions("opened"))
        return await timed(shop.execute(*writes, today=today, now=shop.now))

    async def ours() -> float:
        await shop.close_all()
        return await timed(shop.recompute())

    compared = Comparison("first run", shop.batches, FIRST_RUN.at(shop.batches))
    await compared.measure(rounds, ours=ours, floor=floor)
    rows = await shop.value("SELECT count(*) FROM discounts")
    compared.note = f"{rows:,} opened"
    return compared


async def nothing_changed(shop: Shop, *, rounds: int) -> Comparison:
    """Nothing is to be done, and nothing is written."""
    await shop.settle()
    before = await _written(shop)

    async def floor() -> float:
        return await timed(shop.execute(SCAN_AND_JOIN, today=shop.now.date()))

    async def ours() -> float:
        return await timed(shop.recompute())

    compared = Comparison("nothing changed", shop.batches, NOTHING_CHANGED.at(shop.batches))
    await compared.measure(rounds, ours=ours, floor=floor)
    compared.note = f"{await _written(shop) - before} rows written"
    return compared


async def three_percent_changed(shop: Shop, *, rounds: int) -> Comparison:
    """The base prices of 3% of the products change, and with them 3% of the discounts."""
    turns = count()
    today = shop.now.date()
    written: list[int] = []

    async def floor() -> float:
        chosen = f"product_id % 33 = {next(turns) % 33}"
        await shop.execute(
            *keep_rows(f"SELECT batch_id FROM discounts JOIN batches ON id = batch_id WHERE {chosen}")
        )
        scanned = await timed(shop.execute(SCAN_AND_JOIN, today=today))
        writes = (UPDATE_DISCOUNTS, insert_decisions("changed"))
        wrote = await timed(shop.execute(*writes, today=today, now=shop.now))
        # Constants are no prices: put right what the floor wrote.
        await shop.recompute()
        return scanned + wrote

    async def ours() -> float:
        await change_prices(shop, next(turns))
        done: list[int] = []

        async def recompute() -> None:
            done.append((await shop.recompute()).changed)

        taken = await timed(recompute())
        written.extend(done)
        return taken

    compared = Comparison("3% changed", shop.batches, SOME_CHANGED.at(shop.batches))
    await compared.measure(rounds, ours=ours, floor=floor)
    compared.note = f"{written[-1]:,} changed"
    return compared


async def change_prices(shop: Shop, turn: int) -> None:
    """Moves the base prices of a thirty-third of the products, up and down in turns."""
    change = "0.10" if turn // 33 % 2 == 0 else "-0.10"
    await shop.execute(f"UPDATE products SET base_price = base_price + {change} WHERE id % 33 = {turn % 33}")


async def _written(shop: Shop) -> int:
    await shop.execute("SELECT pg_stat_force_next_flush()")
    return await shop.value(_WRITTEN)
