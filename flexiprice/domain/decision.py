"""What a line of the ledger says: a discount opened, changed or closed, and why it closed."""

from enum import StrEnum


class DecisionKind(StrEnum):
    """What happened to a batch's discount."""

    OPENED = "opened"
    CHANGED = "changed"
    CLOSED = "closed"


class CloseReason(StrEnum):
    """Why a discount ended."""

    EXPIRED = "expired"
    SOLD_OUT = "sold_out"
    NO_DISCOUNT = "no_discount"
    DELETED = "deleted"
