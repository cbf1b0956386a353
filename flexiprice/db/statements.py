"""Statements that are made and compiled once a policy.

A policy becomes an expression of thousands of nodes. To make and compile it takes longer than a small
recompute, and it stays the same until another version is active.
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

from flexiprice.domain.policy import PricingPolicy


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """A policy as a key of a cache: two are equal where their rules and their versions are."""

    version: int | None
    document: str

    @classmethod
    def of(cls, policy: PricingPolicy) -> "PolicyKey":
        """The key of a policy."""
        return cls(policy.version, policy.model_dump_json())

    def policy(self) -> PricingPolicy:
        """The policy, read back."""
        policy = PricingPolicy.model_validate_json(self.document)
        return policy if self.version is None else policy.with_version(self.version)


@dataclass(frozen=True, slots=True)
class CompiledStatement:
    """A compiled statement.

    Attributes:
        sql: its text, with `$1` and so on where parameters go.
        names: which parameters, in this order.
    """

    sql: str
    names: tuple[str, ...]


def prepare(query: Select[*tuple[Any, ...]], dialect: Dialect) -> CompiledStatement:
    """Compiles a query whose parameters are named; other values in it must be constants.

    Args:
        query: what to compile.
        dialect: of the connection, because it knows how the server wants texts quoted.
    """
    compiled = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return CompiledStatement(str(compiled), tuple(getattr(compiled, "positiontup", None) or ()))


async def run(
    session: AsyncSession, statement: CompiledStatement, parameters: Mapping[str, object]
) -> CursorResult[Any]:
    """Executes a prepared statement with those of the parameters that it has."""
    connection = await session.connection()
    return await connection.exec_driver_sql(
        statement.sql, tuple(parameters[name] for name in statement.names)
    )


async def create_temporary(
    session: AsyncSession, table: Table, query: CompiledStatement, parameters: Mapping[str, object]
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


def optimization_barrier(statement: GenerativeSelect) -> Subquery:
    """The statement as a subquery that PostgreSQL does not merge into what surrounds it."""
    return statement.offset(literal_column("'0'::bigint")).subquery()
