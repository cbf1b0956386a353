"""Deletes what is past its time from the history of base prices."""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, and_, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from flexiprice.db.base_price_tables import BasePrice, DeletedBatch
from flexiprice.db.tables import Discount
from flexiprice.domain.prior_price import PRIOR_PRICE_WINDOW


async def drop_base_prices_before(session: AsyncSession, *, instant: datetime) -> int:
    """Deletes base prices that ended at or before an instant; returns how many.

    Keeps what is in force, and whatever the prior price of an open discount may be found in: the 30 days
    before it opened, however long ago that was.
    """
    first_opened = await session.scalar(select(func.min(Discount.opened_at)))
    if first_opened is not None:
        instant = min(instant, first_opened - PRIOR_PRICE_WINDOW)
    next_ = aliased(BasePrice)
    ended = exists().where(
        next_.product_id == BasePrice.product_id,
        next_.store_id == BasePrice.store_id,
        next_.valid_from > BasePrice.valid_from,
        next_.valid_from <= instant,
    )
    # The last row of a deleted product holds no price.
    over = and_(BasePrice.valid_from <= instant, ended | BasePrice.price.is_(None))
    deleted = await session.execute(delete(BasePrice).where(over))
    await session.execute(delete(DeletedBatch).where(DeletedBatch.deleted_at <= instant))
    return cast("CursorResult[Any]", deleted).rowcount
