"""The progress of a running job, as the job reports it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

MAX_MESSAGE_LENGTH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a job.

    Attributes:
        done: finished units of work.
        total: all units of work; None if unknown.
        message: the current step, for people.
        reported_at: when the job reported it.
    """

    done: int
    total: int | None
    message: str | None
    reported_at: datetime


def write_progress(progress: Progress) -> str:
    """Serialises progress for a job's record."""
    message = None if progress.message is None else progress.message[:MAX_MESSAGE_LENGTH]
    facts = [progress.done, progress.total, message, round(progress.reported_at.timestamp() * 1000)]
    return json.dumps(facts, ensure_ascii=False)


def read_progress(record: Mapping[str, str]) -> Progress | None:
    """Reads the progress from a job's record; None if it is missing or unreadable."""
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
