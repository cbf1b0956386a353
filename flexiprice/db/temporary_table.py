"""`CREATE TEMPORARY TABLE … AS SELECT`, the one form of writing that may compute with parallel workers."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.prepared import Prepared, run


async def create_temporary(
    session: AsyncSession, table: Table, query: Prepared, parameters: Mapping[str, object]
) -> None:
    """Fills a temporary table, which lasts until the transaction ends at most.

    Args:
        session: the transaction.
        table: its name, and the columns that the query gives.
        query: what it holds.
        parameters: of the query.
    """
    # SQLAlchemy has this statement too, but without ON COMMIT and without parameters.
    sql = f"CREATE TEMPORARY TABLE {table.name} ON COMMIT DROP AS {query.sql}"
    await run(session, replace(query, sql=sql), parameters)


async def analyze(session: AsyncSession, table: Table, *columns: str) -> None:
    """Tells the planner what is in a temporary table.

    Nobody else does, and without it a join with a large one takes nested loops.
    """
    await session.execute(text(f"ANALYZE {table.name} ({', '.join(columns)})"))


async def drop_temporary(session: AsyncSession, table: Table) -> None:
    """Drops the table, so that the same transaction may fill it again."""
    await session.execute(text(f"DROP TABLE {table.name}"))
