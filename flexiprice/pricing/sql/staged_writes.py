"""Writes large change sets through a temporary staging table.

PostgreSQL uses parallel workers to fill a temporary table, but not for a statement that writes to a permanent
one. The planner also knows the number of staged rows.
"""

from collections.abc import Mapping
from typing import cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.planner_settings import restore_plan_cache
from flexiprice.db.statements import CompiledStatement, analyze, create_temporary, drop_temporary
from flexiprice.pricing.sql import writes as change_writes
from flexiprice.pricing.sql.change_set import PRICE_CHANGES, Counts, count_columns


async def stage(
    session: AsyncSession, changes: CompiledStatement, parameters: Mapping[str, object]
) -> Counts:
    """Fills the staging table with a change set.

    Args:
        session: the transaction; its end drops the table.
        changes: selects the columns of `PRICE_CHANGES`.
        parameters: of the statement.
    """
    await create_temporary(session, PRICE_CHANGES, changes, parameters)
    found = await session.execute(select(*count_columns(PRICE_CHANGES)))
    counts = Counts(*cast("tuple[int, int, int, int, int]", found.one()))
    if counts.changed or counts.closed or counts.refreshed:
        # Opening discounts are inserted without a join, so they need no statistics.
        await analyze(session, PRICE_CHANGES, "batch_id", "kind")
    return counts


async def apply_staged(session: AsyncSession, counts: Counts, parameters: Mapping[str, object]) -> None:
    """Writes the staged changes to discounts and ledger.

    Args:
        session: the transaction that staged them.
        counts: the result of `stage`.
        parameters: has `now`, the instant of the ledger lines.
    """
    at = {"now": parameters["now"]}
    await restore_plan_cache(session)
    if counts.closed:
        await session.execute(change_writes.close(PRICE_CHANGES))
    if counts.changed:
        await session.execute(change_writes.change(PRICE_CHANGES), at)
    if counts.refreshed:
        await session.execute(change_writes.refresh(PRICE_CHANGES))
    if counts.opened:
        await session.execute(change_writes.open_(PRICE_CHANGES), at)
    if counts.decisions:
        await session.execute(change_writes.record(PRICE_CHANGES), at)


async def drop_staging(session: AsyncSession) -> None:
    """Drops the staging table, so that the transaction can stage another change set."""
    await drop_temporary(session, PRICE_CHANGES)
