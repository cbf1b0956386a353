"""The recompute of one batch among 10,000 products, against a transaction that does nothing."""

from itertools import count

from flexiprice.pricing.recompute import recompute_batches
from tests.bench.comparison import Comparison, timed
from tests.bench.limits import ONE_BATCH
from tests.bench.shop import Shop

_PRODUCTS = 10_000
_MORE_PRODUCTS = """
    INSERT INTO products (sku, name, category, category_key, base_price, unit_cost)
    SELECT 'more ' || n, name, category, category_key, base_price, unit_cost
    FROM generate_series(1, CAST(:more AS int)) AS n
    CROSS JOIN (SELECT * FROM products ORDER BY id LIMIT 1) AS first
"""
_MOVE_PRICE = "UPDATE products SET base_price = base_price + {} WHERE id = {}"


async def one_batch_changed(shop: Shop, *, rounds: int) -> Comparison:
    """The base price of a product changes, and one of its batches is recomputed.

    It adds products to the shop that have no batches.
    """
    present = await shop.value("SELECT count(*) FROM products")
    await shop.execute(_MORE_PRODUCTS, more=max(0, _PRODUCTS - present))
    await shop.recompute()
    await shop.settle()
    batch = await shop.value("SELECT min(batch_id) FROM discounts")
    product = await shop.value(f"SELECT product_id FROM batches WHERE id = {batch}")
    turns = count()
    written: list[int] = []

    async def recompute() -> None:
        async with shop.sessions.begin() as session:
            summary = await recompute_batches(session, now=shop.now, batch_ids=[batch])
        written.append(summary.changed)

    async def floor() -> float:
        return await timed(shop.execute())

    async def ours() -> float:
        await shop.execute(_MOVE_PRICE.format("0.10" if next(turns) % 2 == 0 else "-0.10", product))
        return await timed(recompute())

    compared = Comparison("one batch changed", shop.batches, ONE_BATCH, handled=1)
    await compared.measure(rounds, ours=ours, floor=floor)
    compared.note = f"{written[-1]} changed, {max(present, _PRODUCTS):,} products"
    return compared
