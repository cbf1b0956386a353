"""Parses and formats lengths of time."""

import re
from datetime import timedelta
from typing import Final

import typer

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_TYPED: Final = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd]?)")
_MOST_DAYS: Final = 36500


def duration(typed: str | timedelta) -> timedelta:
    """Parses a length of time: `90`, `90s`, `15m`, `2h` or `1d`.

    Raises:
        BadParameter: the text is no length of time.
    """
    if isinstance(typed, timedelta):
        return typed
    found = _TYPED.fullmatch(typed.strip().lower())
    seconds = float(found["number"]) * _UNITS[found["unit"]] if found else -1.0
    if not 0 <= seconds <= _MOST_DAYS * 86400:
        raise typer.BadParameter("must be a length of time such as 90s, 15m, 2h or 1d")
    return timedelta(seconds=seconds)


def short(length: timedelta | None) -> str:
    """Formats a length of time in few characters, for tables."""
    if length is None:
        return ""
    seconds = length.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
