"""Who looks at a page, and what they may change."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from flexiprice.domain.access import Scope, allows


class Right(StrEnum):
    """What a change takes: to reprice, or to operate tasks, queues, schedules and workers."""

    PRICE = "price"
    OPERATE = "operate"


WHY_NOT: Final = {
    Right.OPERATE: "Your key may not do this: log in with one that may operate (scope admin).",
    Right.PRICE: "Your key may only look: log in with one that may change prices (scope prices).",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody who was let in.

    Attributes:
        name: of the key, for the audit and for what is told of a job; never the key itself.
        rights: what they may change; nothing where it is empty.
        session: hash of their session's id; None on this machine, where no key is needed.
    """

    name: str
    rights: frozenset[Right]
    session: bytes | None = None

    @classmethod
    def of(cls, name: str, scopes: Collection[Scope], session: bytes) -> Self:
        """The holder of a key who has logged in."""
        return cls(name=name, rights=rights_of(scopes), session=session)

    @property
    def may_operate(self) -> bool:
        """Whether they may operate tasks, queues, schedules and workers."""
        return Right.OPERATE in self.rights

    @property
    def may_price(self) -> bool:
        """Whether they may have prices recomputed."""
        return Right.PRICE in self.rights


def rights_of(scopes: Collection[Scope]) -> frozenset[Right]:
    """What a key with these scopes may change here."""
    takes = {Right.PRICE: Scope.PRICES, Right.OPERATE: Scope.ADMIN}
    return frozenset(right for right, needed in takes.items() if allows(scopes, needed))


ON_THIS_MACHINE: Final = Viewer(name="loopback client", rights=frozenset(Right))
