"""The staging of a file of prices, and the statements that check and merge it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Date, DateTime, Integer, Numeric, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.price_rows import PriceRow
from flexiprice.catalog.imports.problems import BadRow, CellProblem


async def create_price_rows(session: AsyncSession) -> None:
    """Creates the temporary table of the rows."""
    await session.execute(text("DROP TABLE IF EXISTS pg_temp.price_rows"))
    await session.execute(_CREATE)


async def stage_price_rows(session: AsyncSession, rows: Sequence[PriceRow]) -> None:
    """Inserts rows into the table."""
    if rows:
        await session.execute(_STAGE, {name: [getattr(row, name) for row in rows] for name in _COLUMNS})


async def remove_unknown_products(session: AsyncSession, sku_column: str | None) -> AsyncIterator[BadRow]:
    """Removes rows whose product does not exist, and yields them."""
    await session.execute(text("ANALYZE pg_temp.price_rows"))
    for line, sku in (await session.execute(_REMOVE_UNKNOWN)).all():
        yield BadRow(line, (CellProblem(sku_column, f"there is no product {shown(sku)}"),))


async def state_rows(session: AsyncSession) -> None:
    """Copies the rows to `price_list.stated_prices`, each with its product."""
    await session.execute(_STATE)


async def remove_contradictory_prices(
    session: AsyncSession, price_column: str | None
) -> AsyncIterator[BadRow]:
    """Removes rows that state two prices or ends for one product, store and first day, and yields them.

    Of equal rows one is kept. Call it once each row of a store has its first day.
    """
    for line, other in (await session.execute(_REMOVE_CONTRADICTORY)).all():
        reason = (
            f"differs from line {other}, about the same product, store and first day, in the price or the "
            "last day: neither row is imported"
        )
        yield BadRow(line, (CellProblem(price_column, reason),))
    await session.execute(_REMOVE_EQUAL)


async def merge_default_prices(session: AsyncSession, *, now: datetime) -> tuple[int, int, int]:
    """Writes the base prices of products; they end entries for all stores that have begun and have no end.

    Returns:
        The numbers of changed and unchanged products, and of ended entries.
    """
    total = int((await session.execute(_COUNT_DEFAULTS)).scalar_one())
    changed = int((await session.execute(_UPDATE_DEFAULTS)).scalar_one())
    ended = int((await session.execute(_END_FOR_ALL, {"now": now})).scalar_one())
    await session.execute(text(f"DELETE FROM pg_temp.stated_prices AS stated WHERE {_IS_DEFAULT}"))  # noqa: S608 -- a constant
    return changed, total - changed, ended


_CREATE = text(
    """
    CREATE TEMPORARY TABLE price_rows (
        line bigint, sku text, store_id integer, valid_from date, valid_until date, price numeric(12, 2)
    ) ON COMMIT DROP
    """
)
_ARRAYS = (
    bindparam("line", type_=ARRAY(BigInteger)),
    bindparam("sku", type_=ARRAY(String)),
    bindparam("store_id", type_=ARRAY(Integer)),
    bindparam("valid_from", type_=ARRAY(Date)),
    bindparam("valid_until", type_=ARRAY(Date)),
    bindparam("price", type_=ARRAY(Numeric)),
)
_COLUMNS = tuple(array.key for array in _ARRAYS)
_STAGE = text(
    """
    INSERT INTO pg_temp.price_rows
    SELECT * FROM unnest(:line, :sku, :store_id, :valid_from, :valid_until, :price)
    """
).bindparams(*_ARRAYS)
_REMOVE_UNKNOWN = text(
    """
    WITH removed AS (
        DELETE FROM pg_temp.price_rows AS staged
        WHERE NOT EXISTS (SELECT FROM products WHERE products.sku = staged.sku)
        RETURNING line, sku
    )
    SELECT line, sku FROM removed ORDER BY line
    """
)
_STATE = text(
    """
    INSERT INTO pg_temp.stated_prices (line, product_id, store_id, valid_from, valid_until, price)
    SELECT staged.line, products.id, staged.store_id, staged.valid_from, staged.valid_until, staged.price
    FROM pg_temp.price_rows AS staged
    JOIN products USING (sku)
    """
)
_REMOVE_CONTRADICTORY = text(
    """
    WITH firsts AS (
        SELECT line, product_id, store_id, valid_from,
            first_value(line) OVER same AS first_line,
            (price, valid_until) IS DISTINCT FROM
                (first_value(price) OVER same, first_value(valid_until) OVER same) AS differs
        FROM pg_temp.stated_prices
        WINDOW same AS (PARTITION BY product_id, store_id, valid_from ORDER BY line)
    ), compared AS (
        SELECT line,
            CASE WHEN differs THEN first_line
                ELSE min(line) FILTER (WHERE differs) OVER (PARTITION BY product_id, store_id, valid_from)
            END AS other_line
        FROM firsts
    ), removed AS (
        DELETE FROM pg_temp.stated_prices AS stated
        USING compared
        WHERE compared.line = stated.line AND compared.other_line IS NOT NULL
        RETURNING stated.line, compared.other_line
    )
    SELECT line, other_line FROM removed ORDER BY line
    """
)
_REMOVE_EQUAL = text(
    """
    DELETE FROM pg_temp.stated_prices AS stated
    USING (
        SELECT line, row_number() OVER (PARTITION BY product_id, store_id, valid_from ORDER BY line) AS place
        FROM pg_temp.stated_prices
    ) AS numbered
    WHERE numbered.line = stated.line AND numbered.place > 1
    """
)
_IS_DEFAULT = "stated.store_id IS NULL AND stated.valid_from IS NULL"
_COUNT_DEFAULTS = text(f"SELECT count(*) FROM pg_temp.stated_prices AS stated WHERE {_IS_DEFAULT}")  # noqa: S608 -- a constant
_UPDATE_DEFAULTS = text(
    f"""
    WITH written AS (
        UPDATE products
        SET base_price = stated.price, updated_at = now()
        FROM pg_temp.stated_prices AS stated
        WHERE {_IS_DEFAULT} AND products.id = stated.product_id AND products.base_price <> stated.price
        RETURNING 1
    )
    SELECT count(*) FROM written
    """  # noqa: S608 -- a constant
)
_END_FOR_ALL = text(
    f"""
    WITH ended AS (
        DELETE FROM price_list AS entry
        USING pg_temp.stated_prices AS stated
        WHERE {_IS_DEFAULT}
            AND entry.product_id = stated.product_id
            AND entry.store_id IS NULL
            AND entry.valid_until IS NULL
            AND entry.valid_from <= (SELECT max(CAST(timezone(time_zone, :now) AS date)) FROM stores)
        RETURNING 1
    )
    SELECT count(*) FROM ended
    """  # noqa: S608 -- a constant
).bindparams(bindparam("now", type_=DateTime(timezone=True)))
