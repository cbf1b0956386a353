"""The kinds of ledger lines: a discount opened, changed or closed, and the reason of a closing."""

from enum import StrEnum


class DecisionKind(StrEnum):
    """The change of a batch's discount."""

    OPENED = "opened"
    CHANGED = "changed"
    CLOSED = "closed"


class CloseReason(StrEnum):
    """The reason why a discount closed."""

    EXPIRED = "expired"
    SOLD_OUT = "sold_out"
    NO_DISCOUNT = "no_discount"
    DELETED = "deleted"
