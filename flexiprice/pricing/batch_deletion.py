"""Deletes batches after closing their discounts."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.catalog.batches import get_batch, no_batch, note_batch_change
from flexiprice.db.tables import Batch
from flexiprice.pricing.recompute import close_discounts_of_deleted


async def delete_batch(session: AsyncSession, batch_id: int, *, now: datetime) -> None:
    """Deletes a batch. The ledger records its open discount as closed by `deleted` at `now`.

    Raises:
        NotFound: the batch does not exist.
    """
    await close_discounts_of_deleted(session, [batch_id], now)
    # Locked first, so that nobody changes between what is read and what is deleted.
    await session.execute(select(Batch.id).where(Batch.id == batch_id).with_for_update())
    known = await get_batch(session, batch_id, now=now)
    rows = await session.execute(delete(Batch).where(Batch.id == batch_id).returning(Batch.id))
    if rows.one_or_none() is None:
        raise no_batch(batch_id)
    note_batch_change(session, known, None)
