"""Settings of the query planner for the statements that go over whole tables."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

_FOR_THE_TRANSACTION = True


async def plan_for_bulk(session: AsyncSession) -> None:
    """Makes the planner choose parallel workers where they pay, until the transaction ends."""
    settings = {
        # Most rows that a scan looks at are dropped before they pass from a worker to the leader. The planner
        # cannot know, and thinks that to pass them would cost more than the workers save.
        "parallel_tuple_cost": "0.0001",
        # Products are few beside batches, but what is computed for them is computed in each worker
        # unless they share the scan.
        "min_parallel_table_scan_size": "1MB",
        # Compiling these expressions takes longer than evaluating them.
        "jit": "off",
    }
    await session.execute(
        select(*(func.set_config(name, value, _FOR_THE_TRANSACTION) for name, value in settings.items()))
    )
