"""The kinds and reasons of price decisions as constants of a statement."""

from typing import Any

from sqlalchemy import ColumnElement, String, bindparam, cast, null

from flexiprice.db.tables import PriceDecision
from flexiprice.domain.decision import CloseReason, DecisionKind


def constant(member: DecisionKind | CloseReason) -> ColumnElement[Any]:
    """A member of either enum, in the database's type for it."""
    column = PriceDecision.kind if isinstance(member, DecisionKind) else PriceDecision.close_reason
    return cast(bindparam(None, member.value, String, literal_execute=True), column.type)


def no_reason() -> ColumnElement[Any]:
    """The reason of what does not close."""
    return cast(null(), PriceDecision.close_reason.type)
