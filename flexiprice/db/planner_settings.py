"""Planner settings for transactions that scan whole tables."""

from sqlalchemy import ColumnElement, func, literal_column, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.locks import CLIENT_CHECK, Lock, acquire_checked

_SETTINGS = CLIENT_CHECK | {
    # Workers filter out most rows before passing any to the leader. The planner does not know this, and
    # estimates that passing them costs more than the workers save.
    "parallel_tuple_cost": "0.0001",
    # Products are few compared with batches, but without a parallel scan each worker repeats the computation
    # of their terms.
    "min_parallel_table_scan_size": "1MB",
    # A cached generic plan is extremely slow for many batches.
    "plan_cache_mode": "force_custom_plan",
    # Compiling these expressions takes longer than evaluating them.
    "jit": "off",
}
_IS_LOCAL = True
RESTORE_PLAN_CACHE: ColumnElement[str] = func.set_config(
    literal_column("'plan_cache_mode'"), literal_column("'auto'"), true()
)
"""Ends `force_custom_plan` when it is evaluated.

Otherwise the foreign key checks of each row would be planned again. The writing statement itself may evaluate
it, as foreign keys are checked at the end of a statement.
"""
_RESTORE = select(RESTORE_PLAN_CACHE)
_SET = select(*(func.set_config(name, value, _IS_LOCAL) for name, value in _SETTINGS.items()))


async def use_bulk_plans(session: AsyncSession) -> None:
    """Sets the planner for bulk statements with parallel workers, until the transaction ends."""
    await session.execute(_SET)


async def restore_plan_cache(session: AsyncSession) -> None:
    """Ends `force_custom_plan` of `use_bulk_plans`; call it before writing rows with foreign keys."""
    await session.execute(_RESTORE)


async def use_bulk_plans_and_lock(session: AsyncSession, lock: Lock) -> None:
    """Combines `use_bulk_plans` and `locks.acquire` in fewer round trips."""
    await use_bulk_plans(session)
    await acquire_checked(session, lock)
