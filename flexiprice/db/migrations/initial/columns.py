"""Column types and helpers of the initial tables."""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from alembic import op

MONEY = sa.Numeric(12, 2)
RATE = sa.Numeric(5, 4)
INSTANT = sa.TIMESTAMP(timezone=True)


def created_at() -> sa.Column[object]:
    return _stamped("created_at")


def updated_at() -> sa.Column[object]:
    return _stamped("updated_at")


def check(table: str, name: str, condition: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{name}"))


def create_functions(bodies: Mapping[str, str], options: str = "") -> None:
    for name, body in bodies.items():
        op.execute(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {options} AS $${body}$$")


def drop(tables: Iterable[str] = (), functions: Iterable[str] = (), types: Iterable[sa.Enum] = ()) -> None:
    """Drops tables with their triggers, then functions and types that only they used."""
    for table in tables:
        op.drop_table(table)
    for function in functions:
        op.execute(f"DROP FUNCTION {function}()")
    for enum in types:
        op.execute(f"DROP TYPE {enum.name}")


def _stamped(name: str) -> sa.Column[object]:
    return sa.Column(name, INSTANT, server_default=sa.text("now()"), nullable=False)
