"""The exception tree.

Every error is a fact of the domain with a stable `code`. What it means over HTTP is decided in
`api/problems.py`, and whether a task is tried again in `workers/`; nothing here knows of either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


class FlexiPriceError(Exception):
    """Base of every error that FlexiPrice raises on purpose.

    Attributes:
        code: stable, machine-readable name of the kind of error.
        message: one sentence for a person, saying what to do where that is known.
        details: further facts by name, safe to show to whoever caused the error.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, object] = details


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a document or a record: where, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class InvalidInput(FlexiPriceError):
    """A value from outside cannot be used; `details["field"]` names it where one is to blame."""

    code = "invalid_input"


class InvalidPolicy(InvalidInput):
    """A policy document is not a valid policy; `problems` lists everything wrong with it."""

    code = "invalid_policy"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems) or "the policy is not valid")
        self.problems: tuple[Problem, ...] = tuple(problems)


class InvalidSettings(FlexiPriceError):
    """The configuration cannot be used; the message names each setting at fault."""

    code = "invalid_settings"


class NotFound(FlexiPriceError):
    """What was asked for does not exist."""

    code = "not_found"


class Conflict(FlexiPriceError):
    """The change contradicts what is there: a duplicate, or something still depends on it."""

    code = "conflict"


class TooManyWrongKeys(FlexiPriceError):
    """Too many wrong API keys came from one address: for `seconds` none of it is looked at."""

    code = "too_many_requests"

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"too many wrong keys came from this address; no key of it is looked at for {seconds} s",
            seconds=seconds,
        )
        self.seconds = seconds


class TransientError(FlexiPriceError):
    """Something outside is away for now; the same call may succeed later."""

    code = "unavailable"


class DatabaseUnavailable(TransientError):
    """PostgreSQL does not answer, ended the connection, or refuses the work for now.

    Where PostgreSQL gave a code, `details` has it as `sqlstate`, with the `reason` and the `advice` apart.
    """

    code = "database_unavailable"


class DatabaseBusy(DatabaseUnavailable):
    """PostgreSQL works, and other work stood in the way of this: a lock, a time limit, a full pool."""

    code = "database_busy"


class DatabaseNotMigrated(DatabaseUnavailable):
    """Tables or columns of this version are missing: nobody has migrated, or a restore is under way."""

    code = "not_migrated"


class RedisUnavailable(TransientError):
    """Redis does not answer, or ended the connection; or it answers and refuses for now what it is asked.

    `details["answers"]` is true where it answers; the message is then fit for anybody.
    """

    code = "redis_unavailable"


class QueueFull(TransientError):
    """A queue holds as many jobs as it may; it takes more once workers have got through some."""

    code = "queue_full"


class MissingExtra(FlexiPriceError):
    """An optional part of the package is not installed; the message says which to install."""

    code = "missing_extra"


class ServerFailed(FlexiPriceError):
    """A server that FlexiPrice started itself did not come up, or ended; the message has its last words."""

    code = "server_failed"


class CorruptMessage(FlexiPriceError):
    """Bytes that should hold a job or a result hold something else, or too much of it."""

    code = "corrupt_message"


class JobExpired(FlexiPriceError):
    """A job was not started in the time that it was given."""

    code = "expired"


class JobRevoked(FlexiPriceError):
    """A job was called off before it ended."""

    code = "revoked"


class TimeLimitExceeded(FlexiPriceError):
    """A task ran longer than it may."""

    code = "timeout"


class SoftTimeLimitExceeded(TimeLimitExceeded):
    """A task was told to tidy up because it ran longer than it should."""

    code = "soft_time_limit"


class TooManyChanges(FlexiPriceError):
    """A recompute has more to change than its caller wants done in one transaction; nothing is done."""

    code = "too_many_changes"


class ShardsFailed(FlexiPriceError):
    """A recompute was done in shards, and not all of them succeeded; the message says what the others did."""

    code = "shards_failed"


class WorkerLost(FlexiPriceError):
    """The worker that ran a job is gone."""

    code = "worker_lost"


class WorkerFenced(FlexiPriceError):
    """The worker that asks counts as lost, and its jobs run elsewhere: it may not commit anything more."""

    code = "worker_fenced"


class JobAlreadyDone(Conflict):
    """Another run of the same job has committed its effects: those of this one must be rolled back."""

    code = "job_already_done"


class RemoteError(FlexiPriceError):
    """An exception of another process that this one does not rebuild: its type, message and traceback."""

    code = "internal_error"

    def __init__(self, message: str, *, kind: str = "Exception", traceback: str = "", code: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.traceback = traceback
        # What it is called where it was raised, if that was one of ours.
        self.remote_code = code or self.code


def code_of(error: BaseException) -> str:
    """Name of an error's kind, without what it says: its code, or its class where it is none of ours."""
    return error.code if isinstance(error, FlexiPriceError) else type(error).__name__
