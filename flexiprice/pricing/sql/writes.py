"""Writes a change set to discounts and ledger."""

from collections.abc import Mapping
from typing import Any, cast

from sqlalchemy import (
    Delete,
    Dialect,
    FromClause,
    Insert,
    Select,
    Update,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.db.planner_settings import RESTORE_PLAN_CACHE
from flexiprice.db.statements import CompiledStatement, compile_statement, execute
from flexiprice.db.tables import Discount, PriceDecision, table_of
from flexiprice.domain.decision import DecisionKind
from flexiprice.pricing.sql.change_set import LEDGER_COLUMNS, Counts, count_columns
from flexiprice.pricing.sql.selection import NOW
from flexiprice.pricing.sql.values import enum_literal


def compile_writing(changes: Select[*tuple[Any, ...]], dialect: Dialect) -> CompiledStatement:
    """Compiles a statement that computes and writes changes.

    It returns the arguments of `Counts` and one more column.

    Args:
        changes: selects the columns of `change_set.PRICE_CHANGES`.
        dialect: of the connection.
    """
    rows = changes.cte("price_changes").prefix_with("MATERIALIZED")
    # All of them see the discounts before the statement; no batch is in two of them.
    writes = (
        close(rows).cte("closed"),
        change(rows).cte("changed"),
        refresh(rows).cte("refreshed"),
        open_(rows).cte("opened"),
        record(rows).cte("recorded"),
    )
    return compile_statement(select(*count_columns(rows), RESTORE_PLAN_CACHE).add_cte(*writes), dialect)


async def write_in_one_statement(
    session: AsyncSession, statement: CompiledStatement, parameters: Mapping[str, object]
) -> Counts:
    """Executes a statement of `compile_writing`."""
    found = await execute(session, statement, parameters)
    *counts, _ = cast("tuple[int, int, int, int, int, str]", found.one())
    return Counts(*counts)


_DECIDED = (
    "fingerprint", "price", "base_price", "unit_cost", "rate", "rule", "limits", "policy_version",
    "expiry_date", "days_to_expiry", "quantity",
)  # fmt: skip


def close(changes: FromClause) -> Delete:
    """Deletes the discounts that close."""
    discounts, new = table_of(Discount), changes.c
    return delete(discounts).where(
        discounts.c.batch_id == new.batch_id, new.kind == enum_literal(DecisionKind.CLOSED)
    )


def change(changes: FromClause) -> Update:
    """Updates the discounts that change."""
    discounts, new = table_of(Discount), changes.c
    changing = update(discounts).where(
        discounts.c.batch_id == new.batch_id, new.kind == enum_literal(DecisionKind.CHANGED)
    )
    # The trigger would set the same `updated_at`, at the cost of a call per row.
    changed_now = {"changed_at": NOW, "updated_at": func.now()}
    return changing.values({**{name: new[name] for name in _DECIDED}, **changed_now})


def refresh(changes: FromClause) -> Update:
    """Updates the fingerprints of discounts that do not change otherwise."""
    discounts, new = table_of(Discount), changes.c
    refreshing = update(discounts).where(discounts.c.batch_id == new.batch_id, new.kind.is_(None))
    return refreshing.values(fingerprint=new.fingerprint)


def open_(changes: FromClause) -> Insert:
    """Inserts the discounts that open."""
    new = changes.c
    opening = select(new.batch_id, *(new[name] for name in _DECIDED), NOW, NOW)
    return insert(table_of(Discount)).from_select(
        ["batch_id", *_DECIDED, "opened_at", "changed_at"],
        opening.where(new.kind == enum_literal(DecisionKind.OPENED)),
    )


def record(changes: FromClause) -> Insert:
    """Appends every decision to the ledger."""
    lines = select(*(changes.c[name] for name in LEDGER_COLUMNS), NOW).where(changes.c.kind.is_not(None))
    return insert(table_of(PriceDecision)).from_select([*LEDGER_COLUMNS, "decided_at"], lines)
