"""States the stock of staged rows: it holds at an instant, and later movements are added to it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, DateTime, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.batch_name import same_name


@dataclass(frozen=True, slots=True)
class OutdatedRows:
    """The numbers of rows that were removed, because the stock of their batch was stated later.

    Attributes:
        rows: all of them.
        other_dates: those with another expiry date than their batch.
    """

    rows: int
    other_dates: int


async def prepare_stock(session: AsyncSession, *, as_of: datetime) -> OutdatedRows:
    """Adds to staged quantities what was moved after their instant; removes rows of outdated stock.

    Args:
        session: in which rows are staged, and which has locked the stock.
        as_of: the instant of rows without one.
    """
    await session.execute(_AVOID_NESTED_LOOPS, {"few": _FEW_ROWS})
    await session.execute(_COMPLETE, {"as_of": as_of})
    rows, other_dates = (await session.execute(_REMOVE_OUTDATED)).one()
    await session.execute(_ADD_MOVEMENTS)
    return OutdatedRows(rows, other_dates)


async def state_imported_stock(session: AsyncSession) -> None:
    """Notes the instants at which the stock of the staged rows holds; their batches must exist."""
    await session.execute(_STATE)
    await session.execute(_ALLOW_NESTED_LOOPS)


_COMPLETE = text("UPDATE pg_temp.import_rows SET as_of = :as_of WHERE as_of IS NULL").bindparams(
    bindparam("as_of", type_=DateTime(timezone=True))
)

_FEW_ROWS = 1000

# Statistics do not know the rows of this transaction and of one just before: a nested loop over them would
# be quadratic. A few rows are found by their indexes.
_AVOID_NESTED_LOOPS = text(
    "SELECT set_config('enable_nestloop', 'off', true) FROM pg_temp.import_rows HAVING count(*) > :few"
).bindparams(bindparam("few", type_=BigInteger))
_ALLOW_NESTED_LOOPS = text("SELECT set_config('enable_nestloop', 'on', true)")

BATCH_OF_ROW: Final = f"""
    products.sku = staged.sku
    AND batches.store_id = staged.store_id
    AND batches.product_id = products.id
    AND {same_name("batches", "staged")}
"""
"""Condition in SQL: `batches` is the batch of the staged row `staged` of `products`."""

_REMOVE_OUTDATED = text(
    f"""
    WITH outdated AS (
        DELETE FROM pg_temp.import_rows AS staged
        USING products, batches
        LEFT JOIN batch_statements AS stated ON stated.batch_id = batches.id
        WHERE {BATCH_OF_ROW} AND coalesce(stated.stated_at, batches.created_at) > staged.as_of
        RETURNING batches.expiry_date <> staged.expiry_date AS has_other_date
    )
    SELECT count(*), count(*) FILTER (WHERE has_other_date) FROM outdated
    """  # noqa: S608 -- a constant
)

_ADD_MOVEMENTS = text(
    f"""
    UPDATE pg_temp.import_rows AS changed
    SET quantity = greatest(balance, 0), oversold = greatest(-balance, 0)
    FROM (
        SELECT staged.line, staged.quantity + sum(moved.quantity)::bigint AS balance
        FROM pg_temp.import_rows AS staged
        JOIN products USING (sku)
        JOIN batches ON {BATCH_OF_ROW}
        JOIN stock_movements AS moved ON moved.batch_id = batches.id AND moved.occurred_at > staged.as_of
        -- Leaves older partitions out.
        WHERE moved.occurred_at > (SELECT min(as_of) FROM pg_temp.import_rows)
        GROUP BY staged.line, staged.quantity
    ) AS later
    WHERE changed.line = later.line
    """  # noqa: S608 -- a constant
)

_STATE = text(
    f"""
    INSERT INTO batch_statements AS known (batch_id, stated_at, oversold)
    SELECT batches.id, staged.as_of, coalesce(staged.oversold, 0)
    FROM pg_temp.import_rows AS staged
    JOIN products USING (sku)
    JOIN batches ON {BATCH_OF_ROW}
    ORDER BY batches.id
    ON CONFLICT (batch_id) DO UPDATE SET stated_at = EXCLUDED.stated_at, oversold = EXCLUDED.oversold
    """  # noqa: S608 -- a constant
)
