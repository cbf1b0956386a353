"""Decides which finished jobs become dead letters, and builds their records."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flexiprice.domain.run import RunTrigger
from flexiprice.queue.redaction import redact_text
from flexiprice.queue.redis import codec
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import describe_error
from flexiprice.queue.worker.claimed_job import ClaimedJob

# Larger jobs can only be retried while their result is stored.
_MAX_BODY: Final = 16 * 1024
# Work of these triggers is repeated anyway: by the next tick, or by the parent job.
_REPEATED_TRIGGERS: Final = frozenset({RunTrigger.SCHEDULE, RunTrigger.LATE_SCHEDULE, RunTrigger.TASK})


class DeadLetterReason(StrEnum):
    """The reason of a dead letter.

    `given_up`: too many workers died while they ran only this job. `corrupt`: its message is unreadable.
    `unknown_task`: no worker knew its task in time. `failed`: it failed after all attempts. `bad_entry`: an
    unusable entry in Redis that was quarantined.
    """

    GIVEN_UP = "given_up"
    CORRUPT = "corrupt"
    UNKNOWN_TASK = "unknown_task"
    FAILED = "failed"
    BAD_ENTRY = "bad_entry"


def failed_for_good(job: ClaimedJob) -> DeadLetterReason | None:
    """Returns the reason for a job that failed after all attempts; None if its work is repeated anyway.

    The next tick of a schedule repeats the work, and failing schedules are reported separately. A parent job
    handles the failures of its children.
    """
    if JobSource.of_record(job.record).trigger in _REPEATED_TRIGGERS:
        return None
    return DeadLetterReason.FAILED


@dataclass(frozen=True, slots=True)
class DeadLetterNote:
    """The dead letter that the release script stores. Without a reason it stores none."""

    reason: str = ""
    content: bytes = b""

    @classmethod
    def of(
        cls,
        job: ClaimedJob,
        reason: DeadLetterReason,
        error: BaseException,
        *,
        losses: int = 0,
    ) -> "DeadLetterNote":
        """Builds the record of a job that ended with an error."""
        described = describe_error(error)
        body = job.body if job.body is not None and len(job.body) <= _MAX_BODY else None
        content = {
            "task": job.message.task,
            "queue": job.queue,
            "code": described.code,
            "message": redact_text(described.message),
            "losses": losses or job.losses,
            "body": None if reason is DeadLetterReason.CORRUPT else body,
        }
        return cls(reason.value, codec.encode(content))


NO_DEAD_LETTER: Final = DeadLetterNote()
"""Stores no dead letter."""
