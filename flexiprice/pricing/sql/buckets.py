"""Cells: what a batch's store and id make of it, so that several jobs can recompute beside each other.

A run of 4,096 ids of one store lies in one cell, the next run in the next. Which cell a batch is in never
changes, however many shards there are: two recomputes that are cut up differently still agree on the locks.
"""

from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.locks import Lock, acquire_shared_checked
from flexiprice.db.tables import Batch, table_of
from flexiprice.domain.shard import BUCKET_COUNT, Shard
from flexiprice.pricing.sql.selection import EXCLUDED_BUCKETS
from flexiprice.pricing.sql.values import number

# Beside the one in `locks`: here the second key is a cell.
_NAMESPACE: Final = 1_179_406_417
_BITS_OF_A_RUN: Final = 12
_ALL: Final = func.generate_series(0, BUCKET_COUNT - 1).column_valued("cell")
_SHARE_ALL: Final = select(func.pg_advisory_xact_lock_shared(_NAMESPACE, _ALL))


def not_in_excluded_buckets() -> ColumnElement[bool]:
    """Whether a batch is in none of the scope's `excluded_buckets`.

    Said so, and not by the cells that it is in: of those the planner would expect hardly any batch, and go
    and look each of them up.
    """
    batch = table_of(Batch).c
    cell = func.mod(batch.store_id + batch.id.op(">>")(number(_BITS_OF_A_RUN)), number(BUCKET_COUNT))
    return cell != EXCLUDED_BUCKETS.all_()


async def acquire_shard(session: AsyncSession, shard: Shard) -> None:
    """Keeps out whoever wants the same cells or all of them, until the transaction ends.

    All take the lock on the discounts first and then the cells in their order, so nobody waits in a circle.
    An earlier statement of the transaction must have set `locks.CLIENT_CHECK`.
    """
    await acquire_shared_checked(session, Lock.DISCOUNTS)
    buckets = func.generate_series(shard.buckets[0], BUCKET_COUNT - 1, shard.count).column_valued("cell")
    await session.execute(select(func.pg_advisory_xact_lock(_NAMESPACE, buckets)))


async def share_buckets(session: AsyncSession) -> None:
    """Keeps out every shard, beside others that do the same; the lock on the discounts is shared before."""
    await session.execute(_SHARE_ALL)
