"""The rows of what changes: what a recompute, a cleanup or a deletion is about to write."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Label, MetaData, Table, cast, func
from sqlalchemy.orm import QueryableAttribute

from flexiprice.db.tables import Discount, PriceDecision
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.pricing.sql.values import constant

LEDGER_COLUMNS = (
    "batch_id", "store_id", "product_id", "kind", "close_reason", "price", "previous_price", "base_price",
    "unit_cost", "rate", "rule", "limits", "policy_version", "expiry_date", "days_to_expiry", "quantity",
)  # fmt: skip

PRICE_CHANGES = Table(
    "price_changes",
    MetaData(),
    *(Column(name, getattr(PriceDecision, name).type) for name in LEDGER_COLUMNS),
    Column("fingerprint", Discount.fingerprint.type),
)
"""What a row has. One without a kind is no decision: only the fingerprint of its discount is new."""


def typed(**columns: ColumnElement[Any] | QueryableAttribute[Any]) -> list[Label[Any]]:
    """The columns of `PRICE_CHANGES` for a SELECT that gives such rows, each in its type.

    They must not take the type that one policy happens to give them (a rule that is always NULL, say): the
    statements that read the table are prepared once a connection, and hold on to what it looked like.
    """
    return [cast(columns[column.name], column.type).label(column.name) for column in PRICE_CHANGES.c]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many changes there are of each kind.

    Attributes:
        opened: discounts that open.
        changed: discounts that change.
        closed: discounts that close.
        expired: those of them that close because their batches are expired.
        same: discounts of which only the fingerprint is new.
    """

    opened: int = 0
    changed: int = 0
    closed: int = 0
    expired: int = 0
    same: int = 0

    @property
    def decisions(self) -> int:
        """How many lines they make in the ledger."""
        return self.opened + self.changed + self.closed


def counted(changes: FromClause) -> list[ColumnElement[int]]:
    """The arguments of `Counts`, counted over such rows."""
    kind = changes.c.kind
    kinds = (DecisionKind.OPENED, DecisionKind.CHANGED, DecisionKind.CLOSED)
    return [
        *(func.count().filter(kind == constant(member)) for member in kinds),
        func.count().filter(changes.c.close_reason == constant(CloseReason.EXPIRED)),
        func.count().filter(kind.is_(None)),
    ]
