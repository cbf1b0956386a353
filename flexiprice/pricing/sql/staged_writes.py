"""Many changes, computed into a temporary table and written from it.

The computation may use parallel workers, which a statement that writes to a real table may not, and the
writes know how much they have before them.
"""

from collections.abc import Mapping
from typing import cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.planner import restore_plan_cache
from flexiprice.db.statements import CompiledStatement, analyze, create_temporary, drop_temporary
from flexiprice.pricing.sql import writes as change_writes
from flexiprice.pricing.sql.change_set import PRICE_CHANGES, Counts, counted


async def stage(
    session: AsyncSession, changes: CompiledStatement, parameters: Mapping[str, object]
) -> Counts:
    """Computes the changes into the temporary table.

    Args:
        session: the transaction at whose end the table is dropped, if not before.
        changes: gives the columns of `PRICE_CHANGES`.
        parameters: of the statement.
    """
    await create_temporary(session, PRICE_CHANGES, changes, parameters)
    found = await session.execute(select(*counted(PRICE_CHANGES)))
    counts = Counts(*cast("tuple[int, int, int, int, int]", found.one()))
    if counts.changed or counts.closed or counts.same:
        # What opens is inserted without a join.
        await analyze(session, PRICE_CHANGES, "batch_id", "kind")
    return counts


async def apply_staged(session: AsyncSession, counts: Counts, parameters: Mapping[str, object]) -> None:
    """Writes the collected changes to the discounts and to the ledger.

    Args:
        session: the transaction in which they were collected.
        counts: what `stage` gave.
        parameters: with `now`, the instant that the ledger tells.
    """
    at = {"now": parameters["now"]}
    await restore_plan_cache(session)
    if counts.closed:
        await session.execute(change_writes.close(PRICE_CHANGES))
    if counts.changed:
        await session.execute(change_writes.change(PRICE_CHANGES), at)
    if counts.same:
        await session.execute(change_writes.refresh(PRICE_CHANGES))
    if counts.opened:
        await session.execute(change_writes.open_(PRICE_CHANGES), at)
    if counts.decisions:
        await session.execute(change_writes.record(PRICE_CHANGES), at)


async def drop_staging(session: AsyncSession) -> None:
    """Drops the temporary table, so that the transaction may collect others."""
    await drop_temporary(session, PRICE_CHANGES)
