"""Which jobs need a person when they end, and what is noted of them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flexiprice.domain.run import RunTrigger
from flexiprice.queue.redaction import redact_text
from flexiprice.queue.redis import codec
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import describe_error
from flexiprice.queue.worker.claimed_job import ClaimedJob

# Larger jobs can be retried as long as their result is kept.
_MAX_BODY: Final = 16 * 1024
# What these enqueue is done again by itself: by the next tick, or by another try of the job it is a part of.
_DONE_AGAIN: Final = frozenset({RunTrigger.SCHEDULE, RunTrigger.LATE_SCHEDULE, RunTrigger.TASK})


class DeadLetterReason(StrEnum):
    """Why a task needs a person.

    `given_up`: too many workers died while they ran it alone. `corrupt`: nobody can read it. `unknown_task`:
    no worker that knew its task came in time. `failed`: it failed for good, after all of its tries.
    `bad_entry`: something in Redis that is no task of ours, and was set aside.
    """

    GIVEN_UP = "given_up"
    CORRUPT = "corrupt"
    UNKNOWN_TASK = "unknown_task"
    FAILED = "failed"
    BAD_ENTRY = "bad_entry"


def failed_for_good(job: ClaimedJob) -> DeadLetterReason | None:
    """Why a job that failed after all of its tries needs a person; None where its work is done again anyway.

    A schedule whose latest run failed is told of by itself, and its next tick does the same work. A job that
    another one enqueued is that one's to answer for.
    """
    if JobSource.of_record(job.record).trigger in _DONE_AGAIN:
        return None
    return DeadLetterReason.FAILED


@dataclass(frozen=True, slots=True)
class DeadLetterNote:
    """What is put on the list in the step that ends a job; no reason, and nothing is."""

    reason: str = ""
    content: bytes = b""

    @classmethod
    def of(
        cls,
        job: ClaimedJob,
        task: str,
        reason: DeadLetterReason,
        error: BaseException,
        *,
        losses: int = 0,
    ) -> "DeadLetterNote":
        """That of a job that ends with an error."""
        told = describe_error(error)
        body = job.body if job.body is not None and len(job.body) <= _MAX_BODY else None
        content = {
            "task": task,
            "queue": job.queue,
            "code": told.code,
            "message": redact_text(told.message),
            "losses": losses or job.losses,
            "body": None if reason is DeadLetterReason.CORRUPT else body,
        }
        return cls(reason.value, codec.encode(content))


NO_DEAD_LETTER: Final = DeadLetterNote()
"""Puts nothing on the list."""
