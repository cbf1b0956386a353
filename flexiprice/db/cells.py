"""Cells: what a batch's store and id make of it, so that several jobs can recompute beside each other.

A run of 4,096 ids of one store lies in one cell, the next run in the next. Which cell a batch is in never
changes, however many shards there are: two recomputes that are cut up differently still agree on the locks.
"""

from typing import Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.cents import number
from flexiprice.db.locks import Lock, share_lock_watched
from flexiprice.db.recompute_scope import OTHER_CELLS
from flexiprice.db.tables import Batch, table_of
from flexiprice.domain.shard import CELLS, Shard

# Beside the one in `locks`: here the second key is a cell.
_NAMESPACE: Final = 1_179_406_417
_BITS_OF_A_RUN: Final = 12
_ALL: Final = func.generate_series(0, CELLS - 1).column_valued("cell")
_SHARE_ALL: Final = select(func.pg_advisory_xact_lock_shared(_NAMESPACE, _ALL))


def in_no_other_cell() -> ColumnElement[bool]:
    """Whether a batch is in none of the scope's `other_cells`.

    Said so, and not by the cells that it is in: of those the planner would expect hardly any batch, and go
    and look each of them up.
    """
    batch = table_of(Batch).c
    cell = func.mod(batch.store_id + batch.id.op(">>")(number(_BITS_OF_A_RUN)), number(CELLS))
    return cell != OTHER_CELLS.all_()


async def lock_shard(session: AsyncSession, shard: Shard) -> None:
    """Keeps out whoever wants the same cells or all of them, until the transaction ends.

    All take the lock on the discounts first and then the cells in their order, so nobody waits in a circle.
    An earlier statement of the transaction must have set `locks.WATCHFUL`.
    """
    await share_lock_watched(session, Lock.DISCOUNTS)
    cells = func.generate_series(shard.cells[0], CELLS - 1, shard.count).column_valued("cell")
    await session.execute(select(func.pg_advisory_xact_lock(_NAMESPACE, cells)))


async def share_cells(session: AsyncSession) -> None:
    """Keeps out every shard, beside others that do the same; the lock on the discounts is shared before."""
    await session.execute(_SHARE_ALL)
