"""How far a running job has come, as it says itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

MAX_MESSAGE_LENGTH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job has come.

    Attributes:
        done: units of work that are behind it.
        total: units of work that there are; None where that is not known.
        message: what it is at, for people.
        reported_at: when it said so.
    """

    done: int
    total: int | None
    message: str | None
    reported_at: datetime


def write_progress(progress: Progress) -> str:
    """Progress as a job's record holds it."""
    message = None if progress.message is None else progress.message[:MAX_MESSAGE_LENGTH]
    facts = [progress.done, progress.total, message, round(progress.reported_at.timestamp() * 1000)]
    return json.dumps(facts, ensure_ascii=False)


def read_progress(record: Mapping[str, str]) -> Progress | None:
    """The progress in a job's record; None where it has none, or none that this version reads."""
    try:
        done, total, message, reported_ms = cast("list[Any]", json.loads(record["progress"]))
        return Progress(
            done=int(done),
            total=None if total is None else int(total),
            message=None if message is None else str(message),
            reported_at=datetime.fromtimestamp(reported_ms / 1000, tz=UTC),
        )
    except (KeyError, ValueError, TypeError, OverflowError, OSError):
        return None
