"""Marks batches as sold out that a complete file of stock leaves out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.imports.problems import DataWarning
from flexiprice.catalog.imports.spelling import Option, Spelling
from flexiprice.catalog.imports.stated_stock import BATCH_OF_ROW
from flexiprice.errors import InvalidInput
from flexiprice.plurals import counted

MAX_SOLD_OUT_PERCENT: Final = 30
"""A file that leaves out a larger share of the stock must be confirmed: it may have been cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteStock:
    """The wish that a file is the whole stock of its stores: absent batches are sold out.

    Attributes:
        store: the only store that the file is complete for; None for every store that it names.
        is_confirmed: whether the file may leave out more than `MAX_SOLD_OUT_PERCENT` of the stock.
    """

    store: str | None = None
    is_confirmed: bool = False


async def mark_sold_out(
    session: AsyncSession, complete: CompleteStock, *, as_of: datetime, most_named: int, spelling: Spelling
) -> tuple[int, tuple[int, ...]]:
    """States that batches which are in none of the staged rows were sold out at an instant.

    What was moved later is added. Batches that were created, or whose stock was stated, after the instant
    stay: the file cannot know them.

    Args:
        session: in which the rows are staged, and their batches written.
        complete: the stores, and the confirmation.
        as_of: the instant at which the stock of the file holds.
        most_named: the maximum number of ids to return.
        spelling: the notation of options in errors.

    Returns:
        The number of batches, and the first of their ids.

    Raises:
        InvalidInput: too large a share of the stock is absent, and nobody has confirmed it.
    """
    await session.execute(text("DROP TABLE IF EXISTS pg_temp.import_complete_stores, pg_temp.import_absent"))
    await session.execute(_COLLECT_STORES, {"store": complete.store})
    await session.execute(_COLLECT_ABSENT, {"as_of": as_of})
    absent, in_stock = (await session.execute(_COUNT_ABSENT)).one()
    if not complete.is_confirmed and absent * 100 > in_stock * MAX_SOLD_OUT_PERCENT:
        raise InvalidInput(
            spelling.write(
                f"the file lacks {absent:,} of the {counted(in_stock, 'batch')} in stock, more than "
                f"{MAX_SOLD_OUT_PERCENT} %: if it is complete, ",
                Option("yes"),
                " marks them as sold out",
            ),
            field="complete",
            absent=absent,
            in_stock=in_stock,
        )
    count, ids = (await session.execute(_MARK_SOLD_OUT, {"as_of": as_of, "most": most_named})).one()
    return count, tuple(ids or ())


async def find_left_out_stores(session: AsyncSession, complete: CompleteStock) -> AsyncIterator[DataWarning]:
    """Yields a warning for each store with stock that the file says nothing about."""
    if complete.store is not None:
        return
    for code, batches in await session.execute(_LEFT_OUT_STORES):
        message = f"the file does not name the store {code}: its {counted(batches, 'batch')} in stock stay"
        yield DataWarning(None, None, message)


_AS_OF = bindparam("as_of", type_=DateTime(timezone=True))

_COLLECT_STORES = text(
    """
    CREATE TEMPORARY TABLE import_complete_stores ON COMMIT DROP AS
    SELECT id AS store_id, CAST(now() AT TIME ZONE time_zone AS date) AS today
    FROM stores
    WHERE CASE WHEN CAST(:store AS text) IS NULL
        THEN id IN (SELECT store_id FROM pg_temp.import_rows)
        ELSE code = CAST(:store AS text)
    END
    """
)

_COLLECT_ABSENT = text(
    f"""
    CREATE TEMPORARY TABLE import_absent ON COMMIT DROP AS
    SELECT batches.id, batches.expiry_date >= today AS in_stock
    FROM batches
    JOIN pg_temp.import_complete_stores USING (store_id)
    LEFT JOIN batch_statements AS stated ON stated.batch_id = batches.id
    WHERE quantity > 0 AND coalesce(stated.stated_at, batches.created_at) <= :as_of AND NOT EXISTS (
        SELECT FROM pg_temp.import_rows AS staged JOIN products USING (sku) WHERE {BATCH_OF_ROW}
    )
    """  # noqa: S608 -- a constant
).bindparams(_AS_OF)

# Expired batches are no stock: a shop may never have counted them out.
_COUNT_ABSENT = text(
    """
    SELECT
        (SELECT count(*) FROM pg_temp.import_absent WHERE in_stock),
        (SELECT count(*) FROM batches JOIN pg_temp.import_complete_stores USING (store_id)
         WHERE quantity > 0 AND expiry_date >= today)
    """
)

_MARK_SOLD_OUT = text(
    """
    WITH balances AS (
        SELECT absent.id, coalesce(sum(moved.quantity), 0)::bigint AS balance
        FROM pg_temp.import_absent AS absent
        LEFT JOIN stock_movements AS moved ON moved.batch_id = absent.id AND moved.occurred_at > :as_of
        GROUP BY absent.id
    ),
    stated AS (
        INSERT INTO batch_statements AS known (batch_id, stated_at, oversold)
        SELECT id, :as_of, greatest(-balance, 0) FROM balances ORDER BY id
        ON CONFLICT (batch_id) DO UPDATE SET stated_at = EXCLUDED.stated_at, oversold = EXCLUDED.oversold
    ),
    written AS (
        UPDATE batches
        SET quantity = greatest(balance, 0), updated_at = now()
        FROM balances
        WHERE batches.id = balances.id AND batches.quantity <> greatest(balance, 0)
        RETURNING batches.id
    )
    SELECT count(*), (array_agg(id))[1:CAST(:most AS integer)] FROM written
    """
).bindparams(_AS_OF)

_LEFT_OUT_STORES = text(
    """
    SELECT stores.code, count(*)
    FROM batches
    JOIN stores ON stores.id = batches.store_id
    WHERE quantity > 0 AND store_id NOT IN (SELECT store_id FROM pg_temp.import_rows)
    GROUP BY stores.code
    ORDER BY stores.code
    """
)
