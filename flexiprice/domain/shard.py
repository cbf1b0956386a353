"""Shards: disjoint sets of hash buckets, so that several jobs can share a recompute."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

BUCKET_COUNT: Final = 16
"""The number of hash buckets over all batches. It is fixed; a shard is a set of buckets."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` shards; together they hold every batch exactly once.

    Attributes:
        number: the shard's number, from 1.
        count: the number of shards, up to `BUCKET_COUNT`.
    """

    number: int
    count: int

    def __post_init__(self) -> None:
        """Validates number and count.

        Raises:
            ValueError: no such shard exists.
        """
        if not 1 <= self.number <= self.count <= BUCKET_COUNT:
            raise ValueError(
                f"shard {self.number} of {self.count} does not exist; there can be 1 to {BUCKET_COUNT}"
            )

    @property
    def buckets(self) -> Sequence[int]:
        """The buckets of this shard, ascending."""
        return range(self.number - 1, BUCKET_COUNT, self.count)

    @property
    def excluded_buckets(self) -> Sequence[int]:
        """The buckets of the other shards."""
        return sorted(set(range(BUCKET_COUNT)) - set(self.buckets))

    def __str__(self) -> str:
        """Returns the text for people, such as `1 of 4`."""
        return f"{self.number} of {self.count}"
