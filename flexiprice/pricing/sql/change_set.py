"""The change set: the rows that a recompute, a cleanup or a deletion will write."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, ColumnElement, FromClause, Label, MetaData, Table, cast, func
from sqlalchemy.orm import QueryableAttribute

from flexiprice.db.tables import Discount, PriceDecision
from flexiprice.domain.decision import CloseReason, DecisionKind
from flexiprice.pricing.sql.values import enum_literal

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
"""The columns of a change set. A row without a kind is no decision: only its fingerprint is new."""


def typed_columns(**columns: ColumnElement[Any] | QueryableAttribute[Any]) -> list[Label[Any]]:
    """Returns the columns of `PRICE_CHANGES` for a SELECT, each cast to its type.

    Without the casts, a policy could change a type (a rule that is always NULL, for example), but the
    statements that read the table are prepared once per connection.
    """
    return [cast(columns[column.name], column.type).label(column.name) for column in PRICE_CHANGES.c]


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of changes by kind.

    Attributes:
        opened: discounts that open.
        changed: discounts that change.
        closed: discounts that close.
        expired: closing discounts of expired batches.
        refreshed: discounts of which only the fingerprint changes.
    """

    opened: int = 0
    changed: int = 0
    closed: int = 0
    expired: int = 0
    refreshed: int = 0

    @property
    def decisions(self) -> int:
        """The number of ledger lines."""
        return self.opened + self.changed + self.closed


def count_columns(changes: FromClause) -> list[ColumnElement[int]]:
    """Returns the aggregates over a change set that are the arguments of `Counts`."""
    kind = changes.c.kind
    kinds = (DecisionKind.OPENED, DecisionKind.CHANGED, DecisionKind.CLOSED)
    return [
        *(func.count().filter(kind == enum_literal(member)) for member in kinds),
        func.count().filter(changes.c.close_reason == enum_literal(CloseReason.EXPIRED)),
        func.count().filter(kind.is_(None)),
    ]
