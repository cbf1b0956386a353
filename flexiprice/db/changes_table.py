"""Many changes, computed into a temporary table and written from it.

The computation may use parallel workers, which a statement that writes to a real table may not, and the
writes know how much they have before them.
"""

from collections.abc import Mapping
from typing import cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db import change_writes
from flexiprice.db.change_rows import CHANGES, Counts, counted
from flexiprice.db.planner import keep_plans
from flexiprice.db.prepared import Prepared
from flexiprice.db.temporary_table import analyze, create_temporary, drop_temporary


async def collect_changes(
    session: AsyncSession, changes: Prepared, parameters: Mapping[str, object]
) -> Counts:
    """Computes the changes into the temporary table.

    Args:
        session: the transaction at whose end the table is dropped, if not before.
        changes: gives the columns of `CHANGES`.
        parameters: of the statement.
    """
    await create_temporary(session, CHANGES, changes, parameters)
    found = await session.execute(select(*counted(CHANGES)))
    counts = Counts(*cast("tuple[int, int, int, int, int]", found.one()))
    if counts.changed or counts.closed or counts.same:
        # What opens is inserted without a join.
        await analyze(session, CHANGES, "batch_id", "kind")
    return counts


async def apply_changes(session: AsyncSession, counts: Counts, parameters: Mapping[str, object]) -> None:
    """Writes the collected changes to the discounts and to the ledger.

    Args:
        session: the transaction in which they were collected.
        counts: what `collect_changes` gave.
        parameters: with `now`, the instant that the ledger tells.
    """
    at = {"now": parameters["now"]}
    await keep_plans(session)
    if counts.closed:
        await session.execute(change_writes.close(CHANGES))
    if counts.changed:
        await session.execute(change_writes.change(CHANGES), at)
    if counts.same:
        await session.execute(change_writes.refresh(CHANGES))
    if counts.opened:
        await session.execute(change_writes.open_(CHANGES), at)
    if counts.decisions:
        await session.execute(change_writes.record(CHANGES), at)


async def drop_changes(session: AsyncSession) -> None:
    """Drops the temporary table, so that the transaction may collect others."""
    await drop_temporary(session, CHANGES)
