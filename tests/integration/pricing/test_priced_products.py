"""Which products a recompute reads and prices."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.pricing.recompute import recompute_all_discounts, recompute_batches
from tests.support.builders import NOON, a_batch, a_product, an_active_policy
from tests.support.statements import rows_scanned, statements_of

_PRODUCTS = 2_000
_OTHER_PRODUCTS = text(
    "INSERT INTO products (sku, name, category, category_key, base_price)"
    " SELECT 'other ' || n, 'other', 'Bakery', 'bakery', 4 FROM generate_series(1, CAST(:most AS int)) AS n"
)


async def _shop(session: AsyncSession) -> list[int]:
    """A shop of many products, of which the last three have a batch; returns these."""
    await an_active_policy(session)
    await session.execute(_OTHER_PRODUCTS, {"most": _PRODUCTS - 3})
    batches = [await a_batch(session, await a_product(session)) for _ in range(3)]
    await session.execute(text("ANALYZE products, batches"))
    return batches


async def _products_read(session: AsyncSession, sent: list[tuple[str, object]]) -> list[int]:
    """The products that each statement reads which prices batches: to find the stale ones, and to write."""
    pricing = [call for call in sent if "hashint8extended" in call[0]]
    assert len(pricing) == 2
    return [await rows_scanned(session, *call, table="products") for call in pricing]


async def test_a_recompute_of_named_batches_prices_their_products_alone(session: AsyncSession) -> None:
    one, *others = await _shop(session)
    async with statements_of(session) as sent:
        assert (await recompute_batches(session, now=NOON, batch_ids=[one])).opened == 1
    # A plan may scan the few products again for each batch.
    assert all(0 < read < 10 for read in await _products_read(session, sent))
    async with statements_of(session) as sent:
        assert (await recompute_batches(session, now=NOON, batch_ids=[one, *others])).opened == 2
    assert all(0 < read < 10 for read in await _products_read(session, sent))


async def test_a_recompute_of_all_batches_prices_every_product_once_a_statement(
    session: AsyncSession,
) -> None:
    await _shop(session)
    async with statements_of(session) as sent:
        assert (await recompute_all_discounts(session, now=NOON)).opened == 3
    assert await _products_read(session, sent) == [_PRODUCTS, _PRODUCTS]
