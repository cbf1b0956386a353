"""The exception hierarchy.

Every error has a stable `code`. `api/problems.py` maps codes to HTTP statuses, and `workers/` decides on
retries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


class FlexiPriceError(Exception):
    """Base of every error that FlexiPrice raises on purpose.

    Attributes:
        code: stable, machine-readable name of the kind of error.
        message: one sentence for the user, with a remedy if one is known.
        details: further facts by name, safe to show to the client that caused the error.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, object] = details


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a document or a record: its path and the reason."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class InvalidInput(FlexiPriceError):
    """An input value cannot be used; `details["field"]` names the field if there is one."""

    code = "invalid_input"


class InvalidPolicy(InvalidInput):
    """A policy document is invalid; `problems` lists all its faults."""

    code = "invalid_policy"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems) or "the policy is not valid")
        self.problems: tuple[Problem, ...] = tuple(problems)


class InvalidSettings(FlexiPriceError):
    """The configuration cannot be used; the message names each setting at fault."""

    code = "invalid_settings"


class NotFound(FlexiPriceError):
    """The requested object does not exist."""

    code = "not_found"


class Conflict(FlexiPriceError):
    """The change contradicts existing data: a duplicate, or another object still depends on it."""

    code = "conflict"


class TooManyWrongKeys(FlexiPriceError):
    """Too many wrong API keys came from one address: its keys are rejected unread for `seconds`."""

    code = "too_many_requests"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"too many wrong keys came from this address; its keys are rejected for {seconds} s",
            seconds=seconds,
        )
        self.seconds = seconds


class TransientError(FlexiPriceError):
    """A dependency is temporarily unavailable; a retry may succeed."""

    code = "unavailable"


class DatabaseUnavailable(TransientError):
    """PostgreSQL does not answer, ended the connection, or temporarily rejects work.

    If PostgreSQL sent a code, `details` has it as `sqlstate`, with separate `reason` and `advice`.
    """

    code = "database_unavailable"


class DatabaseBusy(DatabaseUnavailable):
    """PostgreSQL works, but other work blocked this: a lock, a time limit, or a full pool."""

    code = "database_busy"


class DatabaseNotMigrated(DatabaseUnavailable):
    """Tables or columns of this version are missing: migrations are pending, or a restore is running."""

    code = "not_migrated"


class RedisUnavailable(TransientError):
    """Redis does not answer, ended the connection, or temporarily rejects commands.

    `details["answers"]` is true if it answers; the message is then safe to show to any client.
    """

    code = "redis_unavailable"


class QueueFull(TransientError):
    """A queue has reached its limit of jobs; it accepts more after workers have finished some."""

    code = "queue_full"


class MissingExtra(FlexiPriceError):
    """An optional dependency is not installed; the message names the extra to install."""

    code = "missing_extra"


class ServerFailed(FlexiPriceError):
    """An embedded server did not start, or ended; the message has the end of its log."""

    code = "server_failed"


class CorruptMessage(FlexiPriceError):
    """Bytes that should encode a job or a result cannot be decoded, or exceed the size limit."""

    code = "corrupt_message"


class InvalidScript(FlexiPriceError):
    """A Lua script cannot be assembled from its files; the message names the file."""

    code = "invalid_script"


class JobExpired(FlexiPriceError):
    """A job expired before a worker started it."""

    code = "expired"


class JobRevoked(FlexiPriceError):
    """A job was revoked before it ended."""

    code = "revoked"


class TimeLimitExceeded(FlexiPriceError):
    """A task exceeded its time limit."""

    code = "timeout"


class SoftTimeLimitExceeded(TimeLimitExceeded):
    """Raised in a task that exceeded its soft time limit, so that it can clean up."""

    code = "soft_time_limit"


class TooManyChanges(FlexiPriceError):
    """A recompute has more changes than its caller allows in one transaction; nothing was changed."""

    code = "too_many_changes"


class ShardsFailed(FlexiPriceError):
    """Some shards of a recompute failed; the message has the results of the others."""

    code = "shards_failed"


class WorkerLost(FlexiPriceError):
    """The worker that ran a job died."""

    code = "worker_lost"


class WorkerFenced(FlexiPriceError):
    """The worker was declared dead and its jobs were requeued: it must not commit anything more."""

    code = "worker_fenced"


class JobAlreadyDone(Conflict):
    """Another run of the same job has committed its effects: this run must roll back its own."""

    code = "job_already_done"


class RemoteError(FlexiPriceError):
    """An exception of another process that cannot be rebuilt here: its type, message and traceback."""

    code = "internal_error"

    def __init__(self, message: str, *, kind: str = "Exception", traceback: str = "", code: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.traceback = traceback
        # Code of the original error, if it was a FlexiPriceError.
        self.remote_code = code or self.code


def code_of(error: BaseException) -> str:
    """Returns the code of a FlexiPriceError, or the class name of any other error."""
    return error.code if isinstance(error, FlexiPriceError) else type(error).__name__
