"""Hash buckets of batches by store and id, so that jobs can recompute shards in parallel.

A run of 4,096 ids of one store is in one bucket, the next run in the next bucket. A batch's bucket does not
depend on the number of shards, so recomputes with different shard counts still agree on the locks.
"""

from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.locks import Lock, acquire_shared_checked
from flexiprice.db.tables import Batch, table_of
from flexiprice.domain.shard import BUCKET_COUNT, Shard
from flexiprice.pricing.sql.selection import EXCLUDED_BUCKETS
from flexiprice.pricing.sql.values import int_literal

# Differs from the namespace in `db.locks`: here the second key is a bucket.
_NAMESPACE: Final = 1_179_406_417
_BITS_OF_A_RUN: Final = 12
_ALL: Final = func.generate_series(0, BUCKET_COUNT - 1).column_valued("bucket")
_SHARE_ALL: Final = select(func.pg_advisory_xact_lock_shared(_NAMESPACE, _ALL))


def not_in_excluded_buckets() -> ColumnElement[bool]:
    """Whether a batch is in none of the selection's `excluded_buckets`.

    The condition is negative, because for a positive one the planner expects few batches and looks up each.
    """
    batch = table_of(Batch).c
    bucket = func.mod(
        batch.store_id + batch.id.op(">>")(int_literal(_BITS_OF_A_RUN)), int_literal(BUCKET_COUNT)
    )
    return bucket != EXCLUDED_BUCKETS.all_()


async def acquire_shard(session: AsyncSession, shard: Shard) -> None:
    """Locks the shard's buckets until the transaction ends.

    All transactions acquire the discounts lock first, then buckets in ascending order, so they cannot
    deadlock. An earlier statement of the transaction must have set `locks.CLIENT_CHECK`.
    """
    await acquire_shared_checked(session, Lock.DISCOUNTS)
    buckets = func.generate_series(shard.buckets[0], BUCKET_COUNT - 1, shard.count).column_valued("bucket")
    await session.execute(select(func.pg_advisory_xact_lock(_NAMESPACE, buckets)))


async def share_buckets(session: AsyncSession) -> None:
    """Acquires shared locks on all buckets. The caller must hold the shared discounts lock."""
    await session.execute(_SHARE_ALL)
