"""Statements that are made and compiled once a policy.

A policy becomes an expression of thousands of nodes. To make and compile it takes longer than a small
recompute, and it stays the same until another version is active.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CursorResult, Dialect, Select
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
class Prepared:
    """A compiled statement.

    Attributes:
        sql: its text, with `$1` and so on where parameters go.
        names: which parameters, in this order.
    """

    sql: str
    names: tuple[str, ...]


def prepare(query: Select[*tuple[Any, ...]], dialect: Dialect) -> Prepared:
    """Compiles a query whose parameters are named; other values in it must be constants.

    Args:
        query: what to compile.
        dialect: of the connection, because it knows how the server wants texts quoted.
    """
    compiled = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return Prepared(str(compiled), tuple(getattr(compiled, "positiontup", None) or ()))


async def run(
    session: AsyncSession, statement: Prepared, parameters: Mapping[str, object]
) -> CursorResult[Any]:
    """Executes a prepared statement with those of the parameters that it has."""
    connection = await session.connection()
    return await connection.exec_driver_sql(
        statement.sql, tuple(parameters[name] for name in statement.names)
    )
