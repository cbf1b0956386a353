"""The temporary table of what changes: filled by one computation, then written to where it belongs.

The computation may use parallel workers, which a statement that writes to a real table may not, and a
row that does not change never reaches a write.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Label,
    MetaData,
    Table,
    bindparam,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import QueryableAttribute

from flexiprice.db.prepared import Prepared
from flexiprice.db.tables import Discount, PriceDecision, table_of
from flexiprice.db.temporary_table import analyze, create_temporary, drop_temporary
from flexiprice.domain.decision import DecisionKind

_COLUMNS = (
    "batch_id", "store_id", "product_id", "kind", "close_reason", "price", "previous_price", "base_price",
    "unit_cost", "rate", "rule", "limits", "policy_version", "expiry_date", "days_to_expiry", "quantity",
)  # fmt: skip
_DECIDED = (
    "fingerprint", "price", "base_price", "unit_cost", "rate", "rule", "limits", "policy_version",
    "expiry_date", "days_to_expiry", "quantity",
)  # fmt: skip

CHANGES = Table(
    "price_changes",
    MetaData(),
    *(Column(name, getattr(PriceDecision, name).type) for name in _COLUMNS),
    Column("fingerprint", Discount.fingerprint.type),
)


def typed(**columns: ColumnElement[Any] | QueryableAttribute[Any]) -> list[Label[Any]]:
    """The columns of `CHANGES` for a SELECT that fills it, each in its type.

    They must not take the type that one policy happens to give them (a rule that is always NULL, say): the
    statements that read the table are prepared once a connection, and hold on to what it looked like.
    """
    return [cast(columns[column.name], column.type).label(column.name) for column in CHANGES.c]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many changes of each kind were collected; `same` are those of the fingerprint alone."""

    opened: int = 0
    changed: int = 0
    closed: int = 0
    same: int = 0

    @property
    def decisions(self) -> int:
        """How many lines they make in the ledger."""
        return self.opened + self.changed + self.closed


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
    kind = CHANGES.c.kind
    number_of = {member: func.count().filter(kind == member) for member in DecisionKind}
    counted = await session.execute(
        select(
            number_of[DecisionKind.OPENED],
            number_of[DecisionKind.CHANGED],
            number_of[DecisionKind.CLOSED],
            func.count().filter(kind.is_(None)),
        )
    )
    counts = Counts(*counted.one())
    if counts != Counts():
        await analyze(session, CHANGES, "batch_id", "kind")
    return counts


async def apply_changes(session: AsyncSession, counts: Counts, *, decided_at: datetime) -> None:
    """Writes the collected changes to the discounts and to the ledger.

    Args:
        session: the transaction in which they were collected.
        counts: what `collect_changes` gave.
        decided_at: the instant that the ledger tells.
    """
    at = bindparam(None, decided_at, TIMESTAMP(timezone=True))
    new, discounts = CHANGES.c, table_of(Discount)
    ours = discounts.c.batch_id == new.batch_id
    if counts.closed:
        await session.execute(delete(discounts).where(ours, new.kind == DecisionKind.CLOSED))
    if counts.changed:
        decided = {name: new[name] for name in _DECIDED}
        changing = update(discounts).where(ours, new.kind == DecisionKind.CHANGED)
        await session.execute(changing.values(**decided, changed_at=at))
    if counts.same:
        refreshing = update(discounts).where(ours, new.kind.is_(None))
        await session.execute(refreshing.values(fingerprint=new.fingerprint))
    if counts.opened:
        columns = ["batch_id", *_DECIDED, "opened_at", "changed_at"]
        opening = select(new.batch_id, *(new[name] for name in _DECIDED), at, at)
        await session.execute(
            insert(discounts).from_select(columns, opening.where(new.kind == DecisionKind.OPENED))
        )
    if counts.decisions:
        lines = select(*(new[name] for name in _COLUMNS), at).where(new.kind.is_not(None))
        await session.execute(insert(PriceDecision).from_select([*_COLUMNS, "decided_at"], lines))


async def drop_changes(session: AsyncSession) -> None:
    """Drops the temporary table, so that the transaction may collect others."""
    await drop_temporary(session, CHANGES)
