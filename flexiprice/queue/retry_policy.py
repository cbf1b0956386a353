"""Decides whether and after which delay a failed run is retried."""

import errno
import socket
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from redis.exceptions import AuthenticationError, AuthorizationError

from flexiprice.db.sqlstate import not_now, sqlstate_of
from flexiprice.errors import TimeLimitExceeded, TransientError
from flexiprice.queue.redis import connection as redis

_REDIS_UNAVAILABLE: Final = tuple(kind for kind in redis.UNAVAILABLE if kind is not OSError)
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
    """Maximum number of attempts, and exponential backoff with jitter between them.

    The delay doubles with every attempt up to the cap and is then shortened at random, so that jobs that
    failed together do not retry together.

    Attributes:
        max_tries: maximum number of attempts.
        base: maximum delay before the second attempt.
        cap: maximum delay.
        jitter: random fraction of the delay: 1 for all of it, 0 for none.
        retry_on_timeout: whether a run that exceeded its time limit is retried.
    """

    max_tries: int = 5
    base: timedelta = timedelta(seconds=1)
    cap: timedelta = timedelta(minutes=1)
    jitter: float = 1.0
    retry_on_timeout: bool = False

    def __post_init__(self) -> None:
        if self.max_tries < 1:
            raise ValueError("max_tries: must be at least 1")
        if not timedelta(0) < self.base <= self.cap:
            raise ValueError("base: must be above 0 and at most cap")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter: must be between 0 and 1")

    def delay_after(self, attempt: int, *, chance: float) -> timedelta:
        """Returns the delay between an attempt and the next.

        Args:
            attempt: number of the failed attempt, from 1.
            chance: a random number in [0, 1).
        """
        # More doublings exceed every cap, and soon the range of a float.
        doublings = min(attempt - 1, 64)
        longest = min(self.base.total_seconds() * 2.0**doublings, self.cap.total_seconds())
        return timedelta(seconds=longest * (1 - self.jitter * chance))

    def next_try_after(self, error: BaseException, attempt: int, *, chance: float) -> timedelta | None:
        """Returns the delay before the next attempt; None if this was the last.

        Args:
            error: the error of the attempt.
            attempt: its number, from 1.
            chance: a random number in [0, 1).
        """
        if attempt >= self.max_tries:
            return None
        is_retried = self.retry_on_timeout if isinstance(error, TimeLimitExceeded) else is_transient(error)
        return self.delay_after(attempt, chance=chance) if is_retried else None


def is_transient(error: BaseException) -> bool:  # noqa: PLR0911 -- one case for each kind
    """Whether the same call may succeed later, because a server was unavailable or busy.

    `TimeoutError` is transient: a server did not answer in time. `TimeLimitExceeded` is not: the task itself
    is too slow.
    """
    # Producers declare retries and import this module; only a worker, which has a database, judges errors.
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415
    from sqlalchemy.exc import TimeoutError as PoolTimeoutError  # noqa: PLC0415

    match error:
        case BaseExceptionGroup():
            # One permanent error makes the whole group permanent.
            return all(is_transient(member) for member in error.exceptions)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case AuthenticationError() | AuthorizationError():
            # redis-py treats them as lost connections, but a retry cannot fix a password.
            return False
        case DBAPIError():
            return error.connection_invalidated or _has_transient_sqlstate(error.orig)
        case TransientError() | PoolTimeoutError() | ConnectionError() | TimeoutError():
            return True
        case socket.gaierror():
            return error.errno == socket.EAI_AGAIN
        case OSError():
            return error.errno in _NETWORK
        case _:
            return isinstance(error, _REDIS_UNAVAILABLE) or _has_transient_sqlstate(error)


def _has_transient_sqlstate(error: BaseException | None) -> bool:
    """Whether the SQLSTATE of a driver's exception is transient."""
    return not_now(sqlstate_of(error)) is not None
