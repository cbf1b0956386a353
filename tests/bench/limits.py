"""The limits of the ratios that `make bench` compares with, by the size of the shop."""

from dataclasses import dataclass

_SMALL_SHOP = 10_000


@dataclass(frozen=True)
class Limit:
    """The ratio to the floor that the medians of all rounds keep.

    Attributes:
        small: in a shop of at most 10,000 batches.
        large: in a larger one.
    """

    small: float
    large: float

    def at(self, batches: int) -> float:
        """The limit in a shop of this size."""
        return self.small if batches <= _SMALL_SHOP else self.large


# Locking, reading the policy and planning a statement of thousands of nodes take as long in a small shop as
# in a large one. The floors do none of it, so it weighs in the ratio where batches are few.
FIRST_RUN = Limit(small=1.8, large=1.4)
NOTHING_CHANGED = Limit(small=1.8, large=1.5)
SOME_CHANGED = Limit(small=1.8, large=1.5)
SNAPSHOT = Limit(small=1.8, large=1.5)
CLEANUP = Limit(small=1.5, large=1.5)
# Its floor is a transaction that does nothing, so the limit only shows that no other product is priced.
ONE_BATCH = 10.0
