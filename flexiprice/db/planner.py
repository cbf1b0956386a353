"""Settings for transactions of statements that go over whole tables."""

from sqlalchemy import ColumnElement, func, literal_column, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.locks import CLIENT_CHECK, Lock, acquire_checked

_SETTINGS = CLIENT_CHECK | {
    # Most rows that a scan looks at are dropped before they pass from a worker to the leader. The planner
    # cannot know, and thinks that to pass them would cost more than the workers save.
    "parallel_tuple_cost": "0.0001",
    # Products are few beside batches, but what is computed for them is computed in each worker unless
    # they share the scan.
    "min_parallel_table_scan_size": "1MB",
    # A plan that is made for whatever the parameters are, and kept, is a disaster for many batches.
    "plan_cache_mode": "force_custom_plan",
    # Compiling these expressions takes longer than evaluating them.
    "jit": "off",
}
_FOR_THE_TRANSACTION = True
RESTORE_PLAN_CACHE: ColumnElement[str] = func.set_config(
    literal_column("'plan_cache_mode'"), literal_column("'auto'"), true()
)
"""Ends `force_custom_plan` when it is evaluated.

Foreign keys are checked row by row, and would be planned row by row. Where it stands in the statement that
writes, it comes in time: they are checked when the rest of a statement is done.
"""
_KEEP_PLANS = select(RESTORE_PLAN_CACHE)
_SET = select(*(func.set_config(name, value, _FOR_THE_TRANSACTION) for name, value in _SETTINGS.items()))


async def use_bulk_plans(session: AsyncSession) -> None:
    """Makes the planner choose parallel workers where they pay, until the transaction ends."""
    await session.execute(_SET)


async def restore_plan_cache(session: AsyncSession) -> None:
    """Ends what `use_bulk_plans` says of plans, before rows are written that have foreign keys."""
    await session.execute(_KEEP_PLANS)


async def begin_bulk(session: AsyncSession, lock: Lock) -> None:
    """`use_bulk_plans` and `locks.acquire` in fewer steps."""
    await use_bulk_plans(session)
    await acquire_checked(session, lock)
