"""The sound rows of an import, held in a temporary table until a few statements merge them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Date,
    Integer,
    Numeric,
    String,
    TextClause,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.locks import Lock, take_lock
from flexiprice.services.imports.rows import BadRow, CatalogueRow, CellProblem


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """What a merge did to a table, in rows."""

    new: int
    updated: int
    unchanged: int


async def create_staging(session: AsyncSession) -> None:
    """Makes the empty temporary table, and keeps other imports waiting until the transaction ends."""
    # Two imports that update the same rows in different orders would end in a deadlock.
    await take_lock(session, Lock.IMPORTS)
    tables = ", ".join(f"pg_temp.{name}" for name in ("import_rows", "import_products", "import_disputed"))
    await session.execute(text(f"DROP TABLE IF EXISTS {tables}"))
    await session.execute(_CREATE)


async def stage_rows(session: AsyncSession, rows: Sequence[CatalogueRow]) -> None:
    """Adds rows to the temporary table."""
    if rows:
        await session.execute(_STAGE, {name: [getattr(row, name) for row in rows] for name in _COLUMNS})


async def analyze_staging(session: AsyncSession) -> None:
    """Lets the planner know how many rows there are."""
    await session.execute(text("ANALYZE pg_temp.import_rows"))


async def take_out_repeated(session: AsyncSession) -> AsyncIterator[BadRow]:
    """Takes out all rows of a batch but the first, and tells which.

    To add their quantities up, or to believe the last one, would be a guess at what they mean.
    """
    repeated = await session.stream(_TAKE_OUT_REPEATED)
    async for line, first_line in repeated:
        reason = f"is the same batch as line {first_line}: give each a lot of its own, or make them one row"
        yield BadRow(line, (CellProblem(None, reason),))


async def merge_products(session: AsyncSession) -> MergeCounts:
    """Writes the products that are new or differ from what is there."""
    await session.execute(_DESCRIBE_PRODUCTS)
    await session.execute(text("ANALYZE pg_temp.import_products"))
    return await _merge(session, _COUNT_PRODUCTS, _UPDATE_PRODUCTS, _INSERT_PRODUCTS)


async def merge_batches(session: AsyncSession) -> MergeCounts:
    """Writes the batches that are new or differ from what is there; their products exist by now."""
    return await _merge(session, _COUNT_BATCHES, _UPDATE_BATCHES, _INSERT_BATCHES)


async def _merge(
    session: AsyncSession, count: TextClause, update: TextClause, insert: TextClause
) -> MergeCounts:
    total = int((await session.execute(count)).scalar_one())
    updated = int((await session.execute(update)).scalar_one())
    new = int((await session.execute(insert)).scalar_one())
    return MergeCounts(new, updated, total - updated - new)


_ARRAYS: tuple[BindParameter[object], ...] = (
    bindparam("line", type_=ARRAY(BigInteger)),
    bindparam("sku", type_=ARRAY(String)),
    bindparam("name", type_=ARRAY(String)),
    bindparam("category", type_=ARRAY(String)),
    bindparam("category_key", type_=ARRAY(String)),
    bindparam("base_price", type_=ARRAY(Numeric)),
    bindparam("unit_cost", type_=ARRAY(Numeric)),
    bindparam("unit_cost_given", type_=ARRAY(Boolean)),
    bindparam("store_id", type_=ARRAY(Integer)),
    bindparam("lot", type_=ARRAY(String)),
    bindparam("quantity", type_=ARRAY(Integer)),
    bindparam("expiry_date", type_=ARRAY(Date)),
)

_COLUMNS = tuple(array.key for array in _ARRAYS)

_CREATE = text(
    """
    CREATE TEMPORARY TABLE import_rows (
        line bigint, sku text, name text, category text, category_key text,
        base_price numeric(12, 2), unit_cost numeric(12, 2), unit_cost_given boolean,
        store_id integer, lot text, quantity integer, expiry_date date
    ) ON COMMIT DROP
    """
)

_STAGE = text(
    """
    INSERT INTO pg_temp.import_rows
    SELECT * FROM unnest(
        :line, :sku, :name, :category, :category_key, :base_price,
        :unit_cost, :unit_cost_given, :store_id, :lot, :quantity, :expiry_date
    )
    """
).bindparams(*_ARRAYS)

_TAKE_OUT_REPEATED = text(
    """
    WITH numbered AS (
        SELECT line, first_value(line) OVER (
            PARTITION BY store_id, sku, lot, expiry_date ORDER BY line
        ) AS first_line
        FROM pg_temp.import_rows
    )
    DELETE FROM pg_temp.import_rows AS repeated
    USING numbered
    WHERE repeated.line = numbered.line AND numbered.line <> numbered.first_line
    RETURNING repeated.line, numbered.first_line
    """
)

# Rows of one product differ in nothing but its name by now, and the last one says it.
_DESCRIBE_PRODUCTS = text(
    """
    CREATE TEMPORARY TABLE import_products ON COMMIT DROP AS
    SELECT DISTINCT ON (sku) sku, name, category, category_key, base_price, unit_cost, unit_cost_given
    FROM pg_temp.import_rows
    ORDER BY sku, line DESC
    """
)

_COUNT_PRODUCTS = text("SELECT count(*) FROM pg_temp.import_products")

# Rows that exist are updated first and only the others inserted: an upsert alone would use up an id
# for every row of every import, and ids end. The upsert is for what others insert at that moment.
_UPDATE_PRODUCTS = text(
    """
    WITH written AS (
        UPDATE products
        SET name = described.name,
            category = described.category,
            category_key = described.category_key,
            base_price = described.base_price,
            unit_cost = CASE WHEN unit_cost_given THEN described.unit_cost ELSE products.unit_cost END,
            updated_at = now()
        FROM pg_temp.import_products AS described
        WHERE products.sku = described.sku
            AND (
                (products.name, products.category, products.category_key, products.base_price)
                    IS DISTINCT FROM
                    (described.name, described.category, described.category_key, described.base_price)
                OR (unit_cost_given AND products.unit_cost IS DISTINCT FROM described.unit_cost)
            )
        RETURNING 1
    )
    SELECT count(*) FROM written
    """
)

_INSERT_PRODUCTS = text(
    """
    WITH written AS (
        INSERT INTO products (sku, name, category, category_key, base_price, unit_cost)
        SELECT sku, name, category, category_key, base_price, unit_cost
        FROM pg_temp.import_products AS described
        WHERE NOT EXISTS (SELECT FROM products WHERE products.sku = described.sku)
        ORDER BY sku
        ON CONFLICT (sku) DO UPDATE
        SET name = EXCLUDED.name,
            category = EXCLUDED.category,
            category_key = EXCLUDED.category_key,
            base_price = EXCLUDED.base_price,
            unit_cost = EXCLUDED.unit_cost,
            updated_at = now()
        RETURNING 1
    )
    SELECT count(*) FROM written
    """
)

_COUNT_BATCHES = text("SELECT count(*) FROM pg_temp.import_rows")

_UPDATE_BATCHES = text(
    """
    WITH written AS (
        UPDATE batches
        SET quantity = staged.quantity, updated_at = now()
        FROM pg_temp.import_rows AS staged
        JOIN products USING (sku)
        WHERE batches.store_id = staged.store_id
            AND batches.product_id = products.id
            AND batches.lot = staged.lot
            AND batches.expiry_date = staged.expiry_date
            AND batches.quantity <> staged.quantity
        RETURNING 1
    )
    SELECT count(*) FROM written
    """
)

_INSERT_BATCHES = text(
    """
    WITH written AS (
        INSERT INTO batches (store_id, product_id, lot, quantity, expiry_date)
        SELECT staged.store_id, products.id, staged.lot, staged.quantity, staged.expiry_date
        FROM pg_temp.import_rows AS staged
        JOIN products USING (sku)
        WHERE NOT EXISTS (
            SELECT FROM batches
            WHERE batches.store_id = staged.store_id
                AND batches.product_id = products.id
                AND batches.lot = staged.lot
                AND batches.expiry_date = staged.expiry_date
        )
        ORDER BY staged.line
        ON CONFLICT (store_id, product_id, lot, expiry_date) DO UPDATE
        SET quantity = EXCLUDED.quantity, updated_at = now()
        RETURNING 1
    )
    SELECT count(*) FROM written
    """
)
