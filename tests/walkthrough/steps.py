"""What a walk-through prints: every step, whether it was done or only looked at, and how long it took."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class Failed(Exception):
    """A step did not end as it has to."""


@contextmanager
def step(name: str) -> Iterator[None]:
    """Prints a step that is carried out once it is over."""
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        _say(f"✗ {name} ({time.monotonic() - begun:.1f} s)")
        raise
    _say(f"✓ {name} ({time.monotonic() - begun:.1f} s)")


def shown(text: str) -> None:
    """Prints what a step had for an answer, below it."""
    for line in text.strip().splitlines():
        _say(f"    {line}")


def untested(what: str) -> None:
    """Prints what this walk-through cannot do."""
    _say(f"– not done here: {what}")


def require(condition: object, otherwise: str) -> None:
    """Ends the walk-through where something is not as it has to be.

    Raises:
        Failed: it is not.
    """
    if not condition:
        raise Failed(otherwise)


def eventually(find: Callable[[], T | None], what: str, *, seconds: float = 60) -> T:
    """Asks until there is an answer.

    Raises:
        Failed: there is none in time.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.2)
    raise Failed(f"not within {seconds:.0f} s: {what}")
