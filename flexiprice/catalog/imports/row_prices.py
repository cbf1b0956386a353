"""The prices by store of a file: what its rows say of a product in each store."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.problems import DataWarning
from flexiprice.catalog.price_list import EntryCounts, create_stated_prices, state_prices
from flexiprice.plurals import counted


async def collect_prices_by_store(session: AsyncSession) -> None:
    """Collects the products whose price differs from store to store in the file.

    Call it once every contradictory row is removed, while `import_disputed` exists.
    """
    await session.execute(text("DROP TABLE IF EXISTS pg_temp.import_prices_by_store"))
    await session.execute(_COLLECT)


async def find_doubtful_prices(session: AsyncSession, price_column: str | None) -> AsyncIterator[DataWarning]:
    """Yields warnings about prices of products that may have been meant for some stores alone.

    These are the price of a new product that differs by store, of which the first row's holds elsewhere; and
    new prices of products with stock in stores that the file does not name.
    """
    rows = await session.execute(_NEW)
    for line, price in rows.all():
        message = (
            f"differs by store, and the product is new: {price} of this row is its price in all stores that "
            "the file does not name"
        )
        yield DataWarning(line, price_column, message)
    if products := (await session.execute(_COUNT_ELSEWHERE)).scalar_one():
        message = (
            f"the new price of {counted(products, 'product')} holds in all stores, also where they are in "
            "stock and the file does not name the store"
        )
        yield DataWarning(None, price_column, message)


async def keep_default_prices(session: AsyncSession) -> None:
    """Gives products with prices by store their present price, and new ones that of their first row."""
    await session.execute(_KEEP_DEFAULTS)


async def merge_prices_by_store(session: AsyncSession, *, now: datetime) -> EntryCounts:
    """Writes the prices by store; ends a store's own price where the file gives the product one price.

    Args:
        session: in which rows are staged and products merged.
        now: the instant that decides each store's local date.
    """
    needed = (await session.execute(_IS_NEEDED)).scalar_one()
    if not needed:
        return EntryCounts()
    await create_stated_prices(session)
    await session.execute(_STATE)
    await session.execute(_STATE_DEFAULTS)
    return await state_prices(session, now=now)


_COLLECT = text(
    """
    CREATE TEMPORARY TABLE import_prices_by_store ON COMMIT DROP AS
    SELECT * FROM (
        SELECT sku, store_id, min(base_price) AS price, min(line) AS line,
            min(min(base_price)) OVER (PARTITION BY sku) <> max(max(base_price)) OVER (PARTITION BY sku)
                AS differs
        FROM pg_temp.import_rows
        WHERE name IS NOT NULL AND sku IN (SELECT sku FROM pg_temp.import_disputed WHERE base_price)
        GROUP BY sku, store_id
    ) AS priced
    WHERE differs
    """
)
_FIRST = """
    SELECT DISTINCT ON (sku) sku, price, line FROM pg_temp.import_prices_by_store ORDER BY sku, line
"""
_NEW = text(
    f"""
    SELECT line, price FROM ({_FIRST}) AS first
    WHERE NOT EXISTS (SELECT FROM products WHERE products.sku = first.sku)
    ORDER BY line
    """  # noqa: S608 -- a constant
)
_COUNT_ELSEWHERE = text(
    """
    WITH priced AS (
        SELECT DISTINCT products.id AS product_id, staged.store_id
        FROM pg_temp.import_rows AS staged
        JOIN products USING (sku)
        WHERE staged.base_price <> products.base_price
            AND staged.sku NOT IN (SELECT sku FROM pg_temp.import_prices_by_store)
    ), stocked AS (
        SELECT DISTINCT batches.product_id, batches.store_id
        FROM batches
        JOIN (SELECT DISTINCT product_id FROM priced) AS changed USING (product_id)
        WHERE batches.quantity > 0
    )
    SELECT count(DISTINCT stocked.product_id)
    FROM stocked
    LEFT JOIN priced USING (product_id, store_id)
    WHERE priced.store_id IS NULL
    """
)
_KEEP_DEFAULTS = text(
    f"""
    UPDATE pg_temp.import_products AS described
    SET base_price = coalesce(products.base_price, first.price)
    FROM ({_FIRST}) AS first
    LEFT JOIN products ON products.sku = first.sku
    WHERE first.sku = described.sku
    """  # noqa: S608 -- a constant
)
# Most files have neither; then the rows are not read again.
_IS_NEEDED = text(
    """
    SELECT EXISTS (SELECT FROM pg_temp.import_prices_by_store)
        OR EXISTS (SELECT FROM price_list WHERE valid_until IS NULL)
    """
)
_STATE = text(
    """
    INSERT INTO pg_temp.stated_prices (product_id, store_id, price)
    SELECT products.id, priced.store_id, priced.price
    FROM pg_temp.import_prices_by_store AS priced
    JOIN products USING (sku)
    """
)
_STATE_DEFAULTS = text(
    """
    INSERT INTO pg_temp.stated_prices (product_id, store_id, price, is_default)
    SELECT DISTINCT products.id, staged.store_id, staged.base_price, true
    FROM pg_temp.import_rows AS staged
    JOIN products USING (sku)
    WHERE staged.name IS NOT NULL
        AND EXISTS (
            SELECT FROM price_list AS entry
            WHERE entry.product_id = products.id AND entry.valid_until IS NULL
        )
        AND staged.sku NOT IN (SELECT sku FROM pg_temp.import_prices_by_store)
    """
)
