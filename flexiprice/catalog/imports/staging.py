"""The staging table of an import, and the statements that merge it into the tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    Date,
    DateTime,
    Integer,
    Numeric,
    String,
    TextClause,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.corrected_dates import collect_corrected
from flexiprice.catalog.imports.row_prices import keep_default_prices
from flexiprice.catalog.imports.rows import CatalogueRow
from flexiprice.catalog.imports.stated_stock import (
    BATCH_OF_ROW,
    OutdatedRows,
    prepare_stock,
    state_imported_stock,
)
from flexiprice.db.batch_name import NAME_COLUMNS
from flexiprice.db.locks import Lock, acquire
from flexiprice.db.quantity_type import QuantityType
from flexiprice.db.tables import Product


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """The numbers of rows that a merge inserted, updated and left unchanged."""

    new: int
    updated: int
    unchanged: int


async def create_staging(session: AsyncSession) -> None:
    """Creates the staging table, and blocks other imports until the transaction ends."""
    # Two imports that update the same rows in different orders would deadlock.
    await acquire(session, Lock.IMPORTS)
    names = ("import_rows", "import_products", "import_disputed", "import_corrected")
    tables = ", ".join(f"pg_temp.{name}" for name in names)
    await session.execute(text(f"DROP TABLE IF EXISTS {tables}"))
    await session.execute(_CREATE)


async def stage_rows(session: AsyncSession, rows: Sequence[CatalogueRow]) -> None:
    """Inserts rows into the staging table."""
    if rows:
        await session.execute(_STAGE, {name: [getattr(row, name) for row in rows] for name in _COLUMNS})


async def analyze_staging(session: AsyncSession) -> None:
    """Updates the planner's statistics of the staging table."""
    await session.execute(text("ANALYZE pg_temp.import_rows"))


async def merge_products(session: AsyncSession, *, now: datetime) -> MergeCounts:
    """Inserts new products and updates those that differ.

    Args:
        session: in which rows are staged.
        now: the instant from which the stock of products with a new unit counts in it.
    """
    await session.execute(_DESCRIBE_PRODUCTS)
    await keep_default_prices(session)
    await session.execute(text("ANALYZE pg_temp.import_products"))
    await session.execute(_STATE_NEW_UNITS, {"now": now})
    counts, _ = await _merge(session, _COUNT_PRODUCTS, _UPDATE_PRODUCTS, _INSERT_PRODUCTS)
    return counts


async def merge_batches(
    session: AsyncSession, *, as_of: datetime, most_named: int
) -> tuple[MergeCounts, tuple[int, ...], OutdatedRows]:
    """Inserts new batches and updates those that differ; their products must exist.

    `find_corrected` tells afterwards which lots have another expiry date now.

    Args:
        session: in which rows are staged.
        as_of: the instant at which stock of rows without one holds.
        most_named: the maximum number of written batches to return.

    Returns:
        The counts, the ids of written batches, and the rows whose stock was stated later already.
    """
    # From here on, no event moves a batch until the transaction ends.
    await acquire(session, Lock.STOCK)
    outdated = await prepare_stock(session, as_of=as_of)
    await collect_corrected(session)
    counts, changed = await _merge(
        session, _COUNT_BATCHES, _UPDATE_BATCHES, _INSERT_BATCHES, most_named=most_named
    )
    await state_imported_stock(session)
    unchanged = MergeCounts(counts.new, counts.updated, counts.unchanged + outdated.rows)
    return unchanged, changed[:most_named], outdated


async def _merge(
    session: AsyncSession, count: TextClause, update: TextClause, insert: TextClause, *, most_named: int = 0
) -> tuple[MergeCounts, tuple[int, ...]]:
    total = int((await session.execute(count)).scalar_one())
    updated, changed = (await session.execute(update, {"most": most_named})).one()
    new, added = (await session.execute(insert, {"most": most_named})).one()
    return MergeCounts(new, updated, total - updated - new), (*(changed or ()), *(added or ()))


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
    bindparam("quantity", type_=ARRAY(QuantityType)),
    bindparam("quantity_cell", type_=ARRAY(String)),
    bindparam("unit", type_=ARRAY(Product.unit.type)),
    bindparam("expiry_date", type_=ARRAY(Date)),
    bindparam("gtins", type_=ARRAY(String)),
    bindparam("as_of", type_=ARRAY(DateTime(timezone=True))),
)

_COLUMNS = tuple(array.key for array in _ARRAYS)

_CREATE = text(
    """
    CREATE TEMPORARY TABLE import_rows (
        line bigint, sku text, name text, category text, category_key text,
        base_price numeric(12, 2), unit_cost numeric(12, 2), unit_cost_given boolean,
        store_id integer, lot text, quantity bigint, quantity_cell text, unit product_unit,
        expiry_date date, gtins text, as_of timestamptz, oversold bigint
    ) ON COMMIT DROP
    """
)

_STAGE = text(
    """
    INSERT INTO pg_temp.import_rows
    SELECT * FROM unnest(
        :line, :sku, :name, :category, :category_key, :base_price,
        :unit_cost, :unit_cost_given, :store_id, :lot, :quantity, :quantity_cell, :unit,
        :expiry_date, :gtins, :as_of
    )
    """
).bindparams(*_ARRAYS)

# By now, rows of one product differ only in its name, of which the last counts, and in the price by store.
_DESCRIBE_PRODUCTS = text(
    """
    CREATE TEMPORARY TABLE import_products ON COMMIT DROP AS
    SELECT DISTINCT ON (sku) sku, name, category, category_key, base_price, unit_cost, unit_cost_given,
        max(unit) OVER (PARTITION BY sku) AS unit
    FROM pg_temp.import_rows
    WHERE name IS NOT NULL
    ORDER BY sku, line DESC
    """
)

# Earlier events counted in the old unit, of which no stock is left.
_STATE_NEW_UNITS = text(
    """
    INSERT INTO batch_statements AS known (batch_id, stated_at)
    SELECT batches.id, :now
    FROM pg_temp.import_products AS described
    JOIN products USING (sku)
    JOIN batches ON batches.product_id = products.id
    WHERE products.unit <> described.unit
    ON CONFLICT (batch_id) DO UPDATE
    SET stated_at = greatest(known.stated_at, EXCLUDED.stated_at), oversold = 0
    """
).bindparams(bindparam("now", type_=DateTime(timezone=True)))

_COUNT_PRODUCTS = text("SELECT count(*) FROM pg_temp.import_products")

# Existing rows are updated first and only the others inserted: an upsert alone would use up an id of a finite
# sequence for every row of every import. The upsert handles concurrent inserts.
_UPDATE_PRODUCTS = text(
    """
    WITH written AS (
        UPDATE products
        SET name = described.name,
            category = described.category,
            category_key = described.category_key,
            base_price = described.base_price,
            unit_cost = CASE WHEN unit_cost_given THEN described.unit_cost ELSE products.unit_cost END,
            unit = coalesce(described.unit, products.unit),
            updated_at = now()
        FROM pg_temp.import_products AS described
        WHERE products.sku = described.sku
            AND (
                (products.name, products.category, products.category_key, products.base_price)
                    IS DISTINCT FROM
                    (described.name, described.category, described.category_key, described.base_price)
                OR products.unit <> described.unit
                OR (unit_cost_given AND products.unit_cost IS DISTINCT FROM described.unit_cost)
            )
        RETURNING products.id
    )
    SELECT count(*), (array_agg(id))[1:CAST(:most AS integer)] FROM written
    """
)

_INSERT_PRODUCTS = text(
    """
    WITH written AS (
        INSERT INTO products (sku, name, category, category_key, base_price, unit_cost, unit)
        SELECT sku, name, category, category_key, base_price, unit_cost, coalesce(unit, 'each')
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
        RETURNING id
    )
    SELECT count(*), (array_agg(id))[1:CAST(:most AS integer)] FROM written
    """
)

_COUNT_BATCHES = text("SELECT count(*) FROM pg_temp.import_rows")

_UPDATE_BATCHES = text(
    f"""
    WITH written AS (
        UPDATE batches
        SET quantity = staged.quantity, expiry_date = staged.expiry_date, updated_at = now()
        FROM pg_temp.import_rows AS staged
        JOIN products USING (sku)
        WHERE {BATCH_OF_ROW}
            AND (batches.quantity, batches.expiry_date) IS DISTINCT FROM (staged.quantity, staged.expiry_date)
        RETURNING batches.id
    )
    SELECT count(*), (array_agg(id))[1:CAST(:most AS integer)] FROM written
    """  # noqa: S608 -- a constant
)

_INSERT_BATCHES = text(
    f"""
    WITH written AS (
        INSERT INTO batches (store_id, product_id, lot, quantity, expiry_date)
        SELECT staged.store_id, products.id, staged.lot, staged.quantity, staged.expiry_date
        FROM pg_temp.import_rows AS staged
        JOIN products USING (sku)
        WHERE NOT EXISTS (
            SELECT FROM batches WHERE {BATCH_OF_ROW}
        )
        ORDER BY staged.line
        ON CONFLICT ({NAME_COLUMNS}) DO UPDATE
        SET quantity = EXCLUDED.quantity, expiry_date = EXCLUDED.expiry_date, updated_at = now()
        RETURNING id
    )
    SELECT count(*), (array_agg(id))[1:CAST(:most AS integer)] FROM written
    """  # noqa: S608 -- a constant
)
