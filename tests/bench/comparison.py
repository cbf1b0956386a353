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
        handled: how many batches a round is about; None for all of the shop.
    """

    name: str
    batches: int
    limit: float
    ours: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)
    note: str = ""
    handled: int | None = None

    @property
    def batches_per_second(self) -> float:
        return (self.batches if self.handled is None else self.handled) / median(self.ours)

    @property
    def ratio(self) -> float:
        return median(self.ours) / median(self.floor)

    @property
    def floor_range(self) -> str:
        """The shortest and the longest round of the floor."""
        return _range(self.floor)

    @property
    def our_range(self) -> str:
        """The shortest and the longest round of ours."""
        return _range(self.ours)

    @property
    def holds(self) -> bool:
        return self.ratio <= self.limit

    async def measure(self, rounds: int, *, ours: Measured, floor: Measured) -> None:
        """Measures both in every round; a first one, which warms the caches up, does not count."""
        for round_ in range(rounds + 1):
            barest, own = await floor(), await ours()
            if round_:
                self.floor.append(barest)
                self.ours.append(own)


def milliseconds(seconds: float) -> str:
    """A time as the tables show it."""
    return f"{seconds * 1000:,.1f}"


def _range(seconds: list[float]) -> str:
    return f"{milliseconds(min(seconds))} to {milliseconds(max(seconds))}"


async def timed(work: Awaitable[object]) -> float:
    """The seconds that a call takes."""
    started = time.perf_counter()
    await work
    return time.perf_counter() - started
