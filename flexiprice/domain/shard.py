"""A shard: the share of a recompute that one job does while others do the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BUCKET_COUNT: Final = 16
"""Into so many cells all batches are dealt, for good; a shard is some of them."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several shares of all batches that leave none out and have none in common.

    Attributes:
        number: which one, from 1.
        count: how many there are, up to `BUCKET_COUNT`.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        """Checks it.

        Raises:
            ValueError: there is no such shard.
        """
        if not 1 <= self.number <= self.count <= BUCKET_COUNT:
            raise ValueError(
                f"there is no shard {self.number} of {self.count}; at most {BUCKET_COUNT} there are"
            )

    @property
    def buckets(self) -> Sequence[int]:
        """Its cells, ascending."""
        return range(self.number - 1, BUCKET_COUNT, self.count)

    @property
    def excluded_buckets(self) -> Sequence[int]:
        """The cells of the others."""
        return sorted(set(range(BUCKET_COUNT)) - set(self.buckets))

    def __str__(self) -> str:
        """As people are told of it."""
        return f"{self.number} of {self.count}"
