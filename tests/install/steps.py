"""The steps of an install test as they are printed: duration and output of each."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
# The output of the running step, printed below it when it ends.
_ANSWERS: list[str] = []


class Failed(Exception):
    """A step did not end as it has to."""


@contextmanager
def step(name: str) -> Generator[None]:
    """Prints a step that is carried out once it is over."""
    begun = time.monotonic()
    sign = "✗"
    try:
        yield
        sign = "✓"
    finally:
        _print(f"{sign} {name} ({time.monotonic() - begun:.1f} s)", *_ANSWERS)
        _ANSWERS.clear()


def shown(text: str) -> None:
    """Prints the output of a step below it."""
    _ANSWERS.extend(f"    {line}" for line in text.strip().splitlines())


def untested(what: str) -> None:
    """Prints the steps that cannot run here."""
    _print(f"– not done here: {what}")


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


def _print(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()
