"""Who looks at a page, and what they may change."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Right(StrEnum):
    """What a change takes: to reprice, or to operate tasks, queues, schedules and workers."""

    PRICE = "price"
    OPERATE = "operate"


WHY_NOT: Final = {
    Right.OPERATE: "You are logged in with a key that may look only: log in with the full key to do this.",
    Right.PRICE: "You are logged in with a key that may look only: log in with one that may change prices.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody who was let in.

    Attributes:
        name: of the key, for the audit and for what is told of a job; never the key itself.
        rights: what they may change; nothing where it is empty.
        session_id: of their login; None where nobody logs in, as no key is set.
    """

    name: str
    rights: frozenset[Right]
    session_id: str | None = None

    @property
    def may_operate(self) -> bool:
        """Whether they may operate tasks, queues, schedules and workers."""
        return Right.OPERATE in self.rights

    @property
    def may_price(self) -> bool:
        """Whether they may have prices recomputed."""
        return Right.PRICE in self.rights


EVERYTHING: Final = frozenset(Right)
ON_THIS_MACHINE: Final = Viewer(name="loopback client", rights=EVERYTHING)
