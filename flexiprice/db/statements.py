"""Compiles statements to text, and executes them.

A policy's statement has thousands of nodes. Compiling it takes longer than a small recompute, so callers
cache the result.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    CursorResult,
    Dialect,
    GenerativeSelect,
    Select,
    Subquery,
    Table,
    literal_column,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """A compiled statement.

    Attributes:
        sql: its text, with placeholders such as `$1`.
        names: names of its parameters, in order.
    """

    sql: str
    names: tuple[str, ...]


def compile_statement(query: Select[*tuple[Any, ...]], dialect: Dialect) -> CompiledStatement:
    """Compiles a query with named parameters; other values must be literals.

    Args:
        query: the query.
        dialect: of the connection, because it has the server's rules for quoting.
    """
    compiled = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return CompiledStatement(str(compiled), tuple(getattr(compiled, "positiontup", None) or ()))


async def execute(
    session: AsyncSession, statement: CompiledStatement, parameters: Mapping[str, object]
) -> CursorResult[Any]:
    """Executes a compiled statement; parameters that it does not have are ignored."""
    connection = await session.connection()
    return await connection.exec_driver_sql(
        statement.sql, tuple(parameters[name] for name in statement.names)
    )


async def create_temporary(
    session: AsyncSession, table: Table, query: CompiledStatement, parameters: Mapping[str, object]
) -> None:
    """Creates a temporary table from a query; the end of the transaction drops it.

    Args:
        session: the transaction.
        table: its name, and the columns of the query.
        query: its content.
        parameters: of the query.
    """
    # SQLAlchemy's CREATE TABLE AS has neither ON COMMIT nor parameters.
    sql = f"CREATE TEMPORARY TABLE {table.name} ON COMMIT DROP AS {query.sql}"
    await execute(session, replace(query, sql=sql), parameters)


async def analyze(session: AsyncSession, table: Table, *columns: str) -> None:
    """Updates the planner's statistics of a temporary table.

    Autovacuum skips temporary tables, and without statistics a join with a large one uses nested loops.
    """
    await session.execute(text(f"ANALYZE {table.name} ({', '.join(columns)})"))


async def drop_temporary(session: AsyncSession, table: Table) -> None:
    """Drops a temporary table, so that the same transaction can create it again."""
    await session.execute(text(f"DROP TABLE {table.name}"))


def optimization_barrier(statement: GenerativeSelect) -> Subquery:
    """Returns the statement as a subquery that PostgreSQL does not merge into the outer query."""
    return statement.offset(literal_column("'0'::bigint")).subquery()
