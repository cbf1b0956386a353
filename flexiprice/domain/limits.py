"""What shaped a price besides its rule."""

from collections.abc import Iterable
from enum import StrEnum


class Limit(StrEnum):
    """A part of the policy that changed the outcome of a quote.

    The order of the members is the order in which limits are listed, and their place is their bit
    in a mask, so members may only ever be added at the end.
    """

    MAX_DISCOUNT = "max_discount"
    FLOOR = "floor"
    MARGIN = "margin"
    ROUNDING = "rounding"
    MIN_CHANGE = "min_change"
    HELD = "held"

    @property
    def bit(self) -> int:
        """The limit's value in a mask: a power of two."""
        return 1 << _ORDER.index(self)


_ORDER = tuple(Limit)


def limits_to_mask(limits: Iterable[Limit]) -> int:
    """Packs limits into an integer of 0 to 63, in which bit i stands for the i-th `Limit`."""
    mask = 0
    for limit in limits:
        mask |= limit.bit
    return mask


def limits_from_mask(mask: int) -> tuple[Limit, ...]:
    """Unpacks what `limits_to_mask` packed, in the order of `Limit`.

    Raises:
        ValueError: the mask has bits that stand for no limit.
    """
    if not 0 <= mask < 1 << len(_ORDER):
        raise ValueError(f"{mask} is not a mask of limits")
    return tuple(limit for limit in _ORDER if mask & limit.bit)
