"""When a run that failed is worth another try, and after what pause."""

import errno
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis.exceptions import AuthenticationError, AuthorizationError

from flexiprice.db.sqlstate import not_now, sqlstate_of
from flexiprice.errors import TimeLimitExceeded, TransientError
from flexiprice.queue.redis import connection as redis

_REDIS_AWAY: Final = tuple(kind for kind in redis.UNAVAILABLE if kind is not OSError)
_NETWORK: Final = frozenset(
    {
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
        errno.ETIMEDOUT,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a job is tried, and how long it waits in between.

    The pause doubles with every try up to the longest, and is then shortened at random, so that jobs
    that failed together do not come back together.

    Attributes:
        max_tries: how often a run is started at most.
        base: the longest pause before the second try.
        cap: the longest pause of all.
        jitter: which part of the pause is left to chance: 1 all of it, 0 nothing.
        retry_on_timeout: a run that broke its time limit is worth another try.
    """

    max_tries: int = 5
    base: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(minutes=1)
    jitter: float = 1.0
    retry_on_timeout: bool = False

    def __post_init__(self) -> None:
        if self.max_tries < 1:
            raise ValueError("max_tries: at least one")
        if not timedelta(0) < self.base <= self.cap:
            raise ValueError("base: longer than nothing, and not longer than cap")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter: between 0 and 1")

    def delay_after(self, attempt: int, *, chance: float) -> timedelta:
        """The pause between a try and the next.

        Args:
            attempt: the number of the try that failed, from 1.
            chance: a random number in [0, 1).
        """
        # Beyond this the doubling is past every cap, and soon past what a float can hold.
        doublings = min(attempt - 1, 64)
        longest = min(self.base.total_seconds() * 2.0**doublings, self.cap.total_seconds())
        return timedelta(seconds=longest * (1 - self.jitter * chance))

    def next_try_after(self, error: BaseException, attempt: int, *, chance: float) -> timedelta | None:
        """The pause before the next try, or None where this was the last.

        Args:
            error: how the try ended.
            attempt: its number, from 1.
            chance: a random number in [0, 1).
        """
        if attempt >= self.max_tries:
            return None
        worth_it = self.retry_on_timeout if isinstance(error, TimeLimitExceeded) else is_transient(error)
        return self.delay_after(attempt, chance=chance) if worth_it else None


def is_transient(error: BaseException) -> bool:  # noqa: PLR0911 -- one line for each kind
    """Whether the same call may well succeed later: what it needs was away, busy or in its way.

    A `TimeoutError` counts: something did not answer in time. A broken time limit does not, as it
    tells of the task and not of what it needs.
    """
    # Producers declare retries and import this module; only a worker, which has a database, judges errors.
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.exc import TimeoutError as PoolTimeoutError  # noqa: PLC0415

    match error:
        case BaseExceptionGroup():
            # Mixed with an error that stays, the ones that pass do not help.
            return all(is_transient(member) for member in error.exceptions)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case AuthenticationError() | AuthorizationError():
            # To redis-py they are lost connections, but no password mends itself.
            return False
        case DBAPIError():
            return error.connection_invalidated or _is_passing(error.orig)
        case TransientError() | PoolTimeoutError() | ConnectionError() | TimeoutError():
            return True
        case socket.gaierror():
            return error.errno == socket.EAI_AGAIN
        case OSError():
            return error.errno in _NETWORK
        case _:
            return isinstance(error, _REDIS_AWAY) or _is_passing(error)


def _is_passing(error: BaseException | None) -> bool:
    """By the SQLSTATE of a driver's exception, if it has one."""
    return not_now(sqlstate_of(error)) is not None
