"""Retention of the base price history."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.statements import CompiledStatement, execute
from flexiprice.domain.prior_price import PRIOR_PRICE_WINDOW

_HAS_OLD = CompiledStatement(
    """
    SELECT EXISTS (SELECT FROM base_prices WHERE valid_from <= CAST($1 AS timestamptz))
        OR EXISTS (SELECT FROM deleted_batches WHERE deleted_at <= CAST($1 AS timestamptz))
    """,
    ("instant",),
)
# The last row of a deleted product has no price.
_DELETE = text(
    """
    WITH retention AS MATERIALIZED (
        SELECT least(CAST(:instant AS timestamptz), min(opened_at) - CAST(:window AS interval)) AS instant
        FROM discounts
    ), deleted AS (
        DELETE FROM base_prices AS ended
        USING retention
        WHERE ended.valid_from <= retention.instant AND (
            ended.price IS NULL OR EXISTS (
                SELECT FROM base_prices AS following
                WHERE following.product_id = ended.product_id
                    AND following.store_id = ended.store_id
                    AND following.valid_from > ended.valid_from
                    AND following.valid_from <= retention.instant
            )
        )
        RETURNING 1
    ), deleted_traces AS (
        DELETE FROM deleted_batches USING retention WHERE deleted_at <= retention.instant
    )
    SELECT count(*) FROM deleted
    """
)


async def drop_base_prices_before(session: AsyncSession, *, instant: datetime) -> int:
    """Deletes base prices that ended at or before an instant; returns the number.

    Keeps prices in force, and prices of the 30 days before any open discount opened, as its prior price
    needs them.
    """
    # On most nights nothing is that old; this check avoids reading the discounts.
    if not (await execute(session, _HAS_OLD, {"instant": instant})).scalar_one():
        return 0
    deleted = await session.execute(_DELETE, {"instant": instant, "window": PRIOR_PRICE_WINDOW})
    return int(deleted.scalar_one())
