"""Programs whose machine's clock is wrong, by Debian's libfaketime; the servers keep the right time."""

import os
from pathlib import Path

import pytest

_PLACES = ("/usr/lib", "/usr/local/lib")
_LIBRARY = "faketime/libfaketimeMT.so.1"


def find_library() -> Path | None:
    """Where libfaketime is; None where it is not installed."""
    found = (path for place in _PLACES for path in sorted(Path(place).glob(f"**/{_LIBRARY}")))
    return next(found, None)


class MovedClock:
    """A clock for programs that are started with its environment, ahead of the right one or behind it."""

    def __init__(self, file: Path) -> None:
        """Prepares it; until it is moved, it is right.

        Raises:
            RuntimeError: libfaketime is not installed.
        """
        library = find_library()
        if library is None:
            raise RuntimeError("libfaketime is not installed: apt-get install faketime")
        self._file = file
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            # As where a real clock is set: the monotonic clock keeps running.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            # Seconds for which a program caches the file.
            "FAKETIME_CACHE_DURATION": "1",
        }
        self.move(0)

    def move(self, seconds: int) -> None:
        """Sets it so many seconds ahead, or behind where that is negative, within a second."""
        unfinished = self._file.with_suffix(".new")
        unfinished.write_text(f"{seconds:+d}\n")
        unfinished.rename(self._file)


def moved_clock(folder: Path, seconds: int = 0) -> MovedClock:
    """A clock for a test, which is skipped without libfaketime, and fails where it must be there."""
    if find_library() is None and os.environ.get("CI"):
        pytest.fail("libfaketime is not installed: apt-get install faketime")
    if find_library() is None:
        pytest.skip("needs libfaketime: apt-get install faketime")
    clock = MovedClock(folder / "clock-offset")
    clock.move(seconds)
    return clock
