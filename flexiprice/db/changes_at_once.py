"""Few changes, computed and written by one statement.

That spares the temporary table, which costs more than few changes do, but keeps out parallel workers.
"""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import Dialect, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db import change_writes
from flexiprice.db.change_rows import Counts, counted
from flexiprice.db.planner import KEEP_PLANS
from flexiprice.db.prepared import Prepared, prepare, run


def prepare_writing(changes: Select[*tuple[Any, ...]], dialect: Dialect) -> Prepared:
    """A statement that computes changes, writes them, and returns the arguments of `Counts` and one more.

    Args:
        changes: gives the columns of `change_rows.CHANGES`.
        dialect: of the connection.
    """
    rows = changes.cte("price_changes").prefix_with("MATERIALIZED")
    # All of them see the discounts as they were before: no batch is in two of them.
    writes = (
        change_writes.close(rows).cte("closed"),
        change_writes.change(rows).cte("changed"),
        change_writes.refresh(rows).cte("refreshed"),
        change_writes.open_(rows).cte("opened"),
        change_writes.record(rows).cte("recorded"),
    )
    return prepare(select(*counted(rows), KEEP_PLANS).add_cte(*writes), dialect)


async def write_at_once(
    session: AsyncSession, statement: Prepared, parameters: Mapping[str, object]
) -> Counts:
    """Runs what `prepare_writing` made."""
    found = await run(session, statement, parameters)
    *counts, _ = cast("tuple[int, int, int, int, int, str]", found.one())
    return Counts(*counts)
