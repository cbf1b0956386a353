"""What the monitor finds that is not as it should be."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Severity(IntEnum):
    """How bad something is."""

    GOOD = 0
    NOTE = 1
    WARNING = 2
    BAD = 3

    @property
    def icon(self) -> str:
        """The sign that goes with it, so that it is not told by colour alone."""
        return ("check_circle", "info", "warning", "error")[self]


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that is not as it should be.

    Attributes:
        level: how bad it is.
        what: what it is, in a few words.
        since: since when; None where nobody can know.
        advice: what to do about it.
        link: the page that shows more of it.
    """

    level: Severity
    what: str
    since: datetime | None
    advice: str
    link: str
