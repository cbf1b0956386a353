"""Whether all is well, and if not, what is wrong, since when, and what to do: pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from api.monitor.readings import Snapshot

# Workers tick to the second; what is later than this was missed by all of them.
LATE_AFTER: Final = timedelta(seconds=15)
# A worker takes what is due at once; what waits longer waits for a free place.
BEHIND_AFTER: Final = timedelta(seconds=60)


class Level(IntEnum):
    """How bad something is."""

    GOOD = 0
    NOTE = 1
    WARNING = 2
    BAD = 3

    @property
    def icon(self) -> str:
        """The sign that goes with it, so that it is not told by colour alone."""
        return ("check_circle", "info", "warning", "error")[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        level: how bad it is.
        what: what it is, in a few words.
        since: since when; None where nobody can know.
        advice: what to do about it.
        link: the page that shows more of it.
    """

    level: Level
    what: str
    since: datetime | None
    advice: str
    link: str


def verdict(now: Snapshot) -> tuple[Finding, ...]:
    """What is wrong, the worst first; nothing where all is well."""
    findings: list[Finding] = []
    if now.redis.away_since is not None:
        findings.append(
            Finding(
                level=Level.BAD,
                what="Redis does not answer",
                since=now.redis.away_since,
                advice="Start it, or look at its log. Tasks go on by themselves once it is back.",
                link="/broker",
            )
        )
    return tuple(sorted(findings, key=lambda finding: -finding.level))
