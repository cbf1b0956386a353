"""Quarantines unusable entries in Redis: renames, lists and counts them.

Examples are a key of a wrong type, an invalid due time, and a job id that is not UTF-8. The script or client
that finds such an entry moves it out of the way, so that it fails no further call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flexiprice.queue.redis import keys

# Longer names would not fit into requests and pages.
_MAX_NAME_LENGTH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class BadEntry:
    """A quarantined entry of Redis.

    Attributes:
        name: its key; for an entry in a queue, the queue's key and the job's id. Invalid UTF-8 is escaped.
        reason: the problem, for people.
        found_at: when it was quarantined.
    """

    name: str
    reason: str
    found_at: datetime


def read_bad_entry(name: bytes, content: bytes) -> BadEntry:
    """Parses an entry of the list; accepts any content."""
    found_ms, _, reason = content.decode(errors="replace").partition(" ")
    return BadEntry(
        name=shown_name(name), reason=reason or "unknown reason", found_at=keys.instant_of(found_ms)
    )


def shown_name(name: bytes) -> str:
    """Formats a key or id for people; escapes everything that is not printable UTF-8."""
    text = name.decode(errors="backslashreplace")[:_MAX_NAME_LENGTH]
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def named(entries: Sequence[bytes], shown: str) -> bytes | None:
    """Finds the entry whose formatted name is given."""
    return next((entry for entry in entries if shown_name(entry) == shown), None)
