"""`CREATE TEMPORARY TABLE … AS SELECT`, the one form of writing that may compute with parallel workers."""

from typing import Any, cast

from sqlalchemy import ClauseElement, Executable, Select, Table, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler


class _CreateTemporaryTable(Executable, ClauseElement):
    """What SQLAlchemy has without ON COMMIT DROP and without parameters."""

    inherit_cache = False

    def __init__(self, name: str, query: Select[*tuple[Any, ...]]) -> None:
        self.name = name
        self.query = query


@compiles(_CreateTemporaryTable)
def _create(element: _CreateTemporaryTable, compiler: SQLCompiler, **options: object) -> str:
    query = compiler.process(element.query, **cast("dict[str, Any]", options))
    return f"CREATE TEMPORARY TABLE {element.name} ON COMMIT DROP AS {query}"


async def create_temporary(session: AsyncSession, table: Table, query: Select[*tuple[Any, ...]]) -> None:
    """Fills a temporary table, which lasts until the transaction ends at most.

    Args:
        session: the transaction.
        table: its name, and the columns that the query gives.
        query: what it holds.
    """
    await session.execute(_CreateTemporaryTable(table.name, query))


async def analyze(session: AsyncSession, table: Table, *columns: str) -> None:
    """Tells the planner what is in a temporary table.

    Nobody else does, and without it a join with a large one takes nested loops.
    """
    await session.execute(text(f"ANALYZE {table.name} ({', '.join(columns)})"))


async def drop_temporary(session: AsyncSession, table: Table) -> None:
    """Drops the table, so that the same transaction may fill it again."""
    await session.execute(text(f"DROP TABLE {table.name}"))
