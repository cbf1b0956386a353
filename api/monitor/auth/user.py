"""The user of a page and their rights."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from flexiprice.domain.access import Scope, allows


class Right(StrEnum):
    """A right to make changes: to reprice, or to operate tasks, queues, schedules and workers."""

    PRICE = "price"
    OPERATE = "operate"


DENIAL_REASONS: Final = {
    Right.OPERATE: "Your key may not do this: log in with a key that may operate (scope admin).",
    Right.PRICE: "Your key is read-only: log in with a key that may change prices (scope prices).",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An authenticated user.

    Attributes:
        name: name of the key, for audit entries and job sources; never the key itself.
        rights: empty if the key is read-only.
        session: hash of the session's id; None for a loopback client without a key.
    """

    name: str
    rights: frozenset[Right]
    session: bytes | None = None

    @classmethod
    def of(cls, name: str, scopes: Collection[Scope], session: bytes) -> Self:
        """Returns the user of a session.

        Args:
            name: name of the key.
            scopes: scopes of the key.
            session: hash of the session's id.
        """
        return cls(name=name, rights=rights_of(scopes), session=session)

    @property
    def may_operate(self) -> bool:
        """Whether the user may operate tasks, queues, schedules and workers."""
        return Right.OPERATE in self.rights

    @property
    def may_price(self) -> bool:
        """Whether the user may trigger a recompute."""
        return Right.PRICE in self.rights


def rights_of(scopes: Collection[Scope]) -> frozenset[Right]:
    """Returns the rights that scopes give."""
    takes = {Right.PRICE: Scope.PRICES, Right.OPERATE: Scope.ADMIN}
    return frozenset(right for right, needed in takes.items() if allows(scopes, needed))


LOCAL_USER: Final = User(name="loopback client", rights=frozenset(Right))
