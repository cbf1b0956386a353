"""Writes the price list, many entries at once from a temporary table.

An entry is identified by product, store (or all stores) and first day.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.store_prices import apply_price_list
from flexiprice.db.locks import Lock, acquire


@dataclass(frozen=True, slots=True)
class EntryCounts:
    """The numbers of entries that a statement inserted, updated, ended and left unchanged."""

    new: int = 0
    updated: int = 0
    ended: int = 0
    unchanged: int = 0

    @property
    def written(self) -> int:
        """The number of entries that changed."""
        return self.new + self.updated + self.ended


async def create_stated_prices(session: AsyncSession) -> None:
    """Creates the temporary table `stated_prices`, and blocks other writers of prices until the end.

    Its rows are entries, with `store_id` NULL for all stores. A row of a store without `valid_from` begins
    today. `is_default` marks the price of a product in a store whose own price should end: see
    `state_prices`.
    """
    await acquire(session, Lock.STORE_PRICES)
    await session.execute(text("DROP TABLE IF EXISTS pg_temp.stated_prices"))
    await session.execute(_CREATE)


async def begin_today(session: AsyncSession, *, now: datetime) -> None:
    """Gives the rows of stores in `stated_prices` without a first day the one on which they begin."""
    await session.execute(text("ANALYZE pg_temp.stated_prices"))
    await session.execute(_BEGIN, {"now": now})


async def state_prices(session: AsyncSession, *, now: datetime, has_ended: bool = False) -> EntryCounts:
    """Writes the entries of `stated_prices`, and brings the prices in force up to date.

    A price without a first day replaces the one without an end, or with the same end, that already holds; so
    the same statement on another day changes nothing, and an entry that began later still holds. A row
    `is_default` ends entries without an end that hold in its store today, or in all stores, at another price.

    Args:
        session: in which `create_stated_prices` was called, and the table filled.
        now: the instant that decides each store's local date.
        has_ended: whether the caller has ended entries, so that prices in force may change.
    """
    ended = int((await session.execute(_END, {"now": now})).scalar_one())
    await session.execute(text("DELETE FROM pg_temp.stated_prices WHERE is_default"))
    await begin_today(session, now=now)
    total = int((await session.execute(_COUNT)).scalar_one())
    updated = int((await session.execute(_UPDATE)).scalar_one())
    new = int((await session.execute(_INSERT)).scalar_one())
    counts = EntryCounts(new=new, updated=updated, ended=ended, unchanged=total - updated - new)
    if counts.written or has_ended:
        await apply_price_list(session, now=now)
    return counts


_CREATE = text(
    """
    CREATE TEMPORARY TABLE stated_prices (
        line bigint, product_id integer, store_id integer, valid_from date, valid_until date,
        price numeric(12, 2), is_default boolean DEFAULT false
    ) ON COMMIT DROP
    """
)
_DAYS = """
    days AS MATERIALIZED (
        SELECT id AS store_id, CAST(timezone(time_zone, :now) AS date) AS day FROM stores
    )
"""
_NOW = bindparam("now", type_=DateTime(timezone=True))
_END = text(
    f"""
    WITH {_DAYS}, ended AS (
        DELETE FROM price_list AS entry
        USING pg_temp.stated_prices AS stated JOIN days USING (store_id)
        WHERE stated.is_default
            AND entry.product_id = stated.product_id
            AND (entry.store_id IS NULL OR entry.store_id = stated.store_id)
            AND entry.valid_until IS NULL
            AND entry.valid_from <= days.day
            AND entry.price <> stated.price
        RETURNING 1
    )
    SELECT count(*) FROM ended
    """  # noqa: S608 -- a constant
).bindparams(_NOW)
# The day on which the entry began that this price replaces, or else today.
_BEGIN = text(
    f"""
    WITH {_DAYS}
    UPDATE pg_temp.stated_prices AS stated
    SET valid_from = coalesce(
        (
            SELECT max(entry.valid_from)
            FROM price_list AS entry
            WHERE entry.product_id = stated.product_id
                AND entry.store_id = stated.store_id
                AND entry.valid_from <= days.day
                AND entry.valid_until IS NOT DISTINCT FROM stated.valid_until
        ),
        days.day
    )
    FROM days
    WHERE days.store_id = stated.store_id AND stated.valid_from IS NULL
    """  # noqa: S608 -- a constant
).bindparams(_NOW)
_COUNT = text("SELECT count(*) FROM pg_temp.stated_prices")
_SAME = """
    entry.product_id = stated.product_id
    AND entry.store_id IS NOT DISTINCT FROM stated.store_id
    AND entry.valid_from = stated.valid_from
"""
_UPDATE = text(
    f"""
    WITH written AS (
        UPDATE price_list AS entry
        SET price = stated.price, valid_until = stated.valid_until
        FROM pg_temp.stated_prices AS stated
        WHERE {_SAME}
            AND (entry.price, entry.valid_until) IS DISTINCT FROM (stated.price, stated.valid_until)
        RETURNING 1
    )
    SELECT count(*) FROM written
    """  # noqa: S608 -- a constant
)
_INSERT = text(
    f"""
    WITH written AS (
        INSERT INTO price_list (product_id, store_id, valid_from, valid_until, price)
        SELECT product_id, store_id, valid_from, valid_until, price
        FROM pg_temp.stated_prices AS stated
        WHERE NOT EXISTS (SELECT FROM price_list AS entry WHERE {_SAME})
        RETURNING 1
    )
    SELECT count(*) FROM written
    """  # noqa: S608 -- a constant
)
