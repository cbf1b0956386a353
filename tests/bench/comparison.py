"""Two ways measured in turns, so that whatever slows the machine slows both, and their medians compared."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import median

Measured = Callable[[], Awaitable[float]]


@dataclass
class Comparison:
    """Seconds of ours and of the floor, round by round.

    Attributes:
        name: what was done.
        batches: in how large a shop.
        limit: the ratio of the medians that must not be passed.
        ours: what FlexiPrice took.
        floor: what the barest way took.
        note: what else was seen.
    """

    name: str
    batches: int
    limit: float
    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def ratio(self) -> float:
        return median(self.ours) / median(self.floor)

    @property
    def holds(self) -> bool:
        return self.ratio <= self.limit

    async def measure(self, rounds: int, *, ours: Measured, floor: Measured) -> "Comparison":
        """Measures both in every round; a first one, which warms the caches up, does not count."""
        for round_ in range(rounds + 1):
            barest, own = await floor(), await ours()
            if round_:
                self.floor.append(barest)
                self.ours.append(own)
        return self


async def timed(work: Awaitable[object]) -> float:
    """The seconds that a call takes."""
    started = time.perf_counter()
    await work
    return time.perf_counter() - started
