"""Alerts and their severities."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Severity(IntEnum):
    """The severity of an alert; greater is worse."""

    GOOD = 0
    NOTE = 1
    WARNING = 2
    BAD = 3

    @property
    def icon(self) -> str:
        """Name of the icon, so that color is not the only sign."""
        return ("check_circle", "info", "warning", "error")[self]


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem, with advice.

    Attributes:
        severity: its severity.
        title: the problem in a few words.
        since: when it began; None if unknown.
        advice: what to do about it.
        link: path of the page with details.
    """

    severity: Severity
    title: str
    since: datetime | None
    advice: str
    link: str
