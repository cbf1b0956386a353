"""Waits for an unavailable Redis with backoff, and logs each outage once."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import EqualJitterBackoff
from redis.exceptions import RedisError, ResponseError

from flexiprice.errors import RedisUnavailable
from flexiprice.queue.redis.connection import UNAVAILABLE, sign_in
from flexiprice.queue.redis.replies import RedisNotReady, RedisNotWritable, sentence_of
from flexiprice.settings import PREFIX
from flexiprice.telemetry import get_logger, without_secrets

REDIS_UNAVAILABLE: Final = (*UNAVAILABLE, RedisUnavailable)

_LOGGER = get_logger(__name__)
_INITIAL_BACKOFF_SECONDS: Final = 0.05
_MAX_BACKOFF_SECONDS: Final = 2.0
_START_ATTEMPTS: Final = 30

ResultT = TypeVar("ResultT")


class RedisRetry:
    """Repeats calls until Redis is available.

    Attributes:
        closed: the worker is stopping; failed calls are not repeated.
    """

    def __init__(self) -> None:
        self.closed = False
        self._unavailable_since: float | None = None
        self._refuses_writes = False

    async def call(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Repeats a call while Redis is unavailable. The call must be idempotent.

        Raises:
            RedisUnavailable: Redis is unavailable and the worker is stopping. It may also be the equivalent
                error of redis-py.
        """
        pause, writes = _INITIAL_BACKOFF_SECONDS, False
        while True:
            try:
                result = await call()
            except REDIS_UNAVAILABLE as error:
                self.mark_down(error)
                if self.closed:
                    raise
                writes = isinstance(_reply(error), RedisNotWritable)
            else:
                self.mark_up(wrote=writes)
                return result
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 -- jitter, not a secret
            pause = min(pause * 2, _MAX_BACKOFF_SECONDS)

    def mark_down(self, error: BaseException) -> None:
        """Records a failed call; logs the first of an outage."""
        reply = _reply(error)
        if isinstance(reply, RedisNotWritable):
            self._refuses_writes = True
        if self._unavailable_since is not None:
            return
        self._unavailable_since = asyncio.get_running_loop().time()
        if reply is None:
            _LOGGER.warning("redis_unavailable", error=str(error))
        else:
            _LOGGER.warning("redis_not_ready", reason=sentence_of(reply))

    def mark_up(self, *, wrote: bool = False) -> None:
        """Records a successful call. After refused writes, only a successful write ends the outage."""
        if self._unavailable_since is None or (self._refuses_writes and not wrote):
            return
        seconds = asyncio.get_running_loop().time() - self._unavailable_since
        self._unavailable_since, self._refuses_writes = None, False
        _LOGGER.info("redis_recovered", away_seconds=round(seconds, 1))


def _reply(error: BaseException) -> RedisNotReady | None:
    """Returns the error reply that an error is or was caused by."""
    return next((reply for reply in (error, error.__cause__) if isinstance(reply, RedisNotReady)), None)


class StartupRetry(Retry):
    """Waits for Redis while a worker starts, and exits with a one-line message if it stays unavailable.

    After the first connection it retries a lost one a few times, as the clients of other programs do.
    """

    def __init__(self, attempts: int = _START_ATTEMPTS) -> None:
        self._usual = Retry(EqualJitterBackoff(cap=0.5, base=0.02), retries=4)
        self._connected = False
        self._waits = RedisRetry()
        # redis-py's default omits connection errors. RedisNotReady is a reply, so the server is there.
        connection_errors = [kind for kind in UNAVAILABLE if kind is not RedisNotReady]
        errors = cast("tuple[type[RedisError], ...]", tuple(connection_errors))
        super().__init__(EqualJitterBackoff(cap=1.0, base=0.1), attempts - 1, errors)

    def __deepcopy__(self, _: object) -> "StartupRetry":
        # Every connection copies its retry; all of them share the state of this one.
        return self

    async def call_with_retry(
        self,
        do: Callable[[], Awaitable[ResultT]],
        fail: Callable[..., Any],
        **newer: Any,  # noqa: ANN401 -- as in redis-py
    ) -> ResultT:
        """Overrides the base class; options of newer redis-py versions are passed on.

        Raises:
            SystemExit: Redis does not answer during startup.
        """
        if self._connected:
            return await self._usual.call_with_retry(do, fail, **newer)

        def fail_and_log(error: Exception, *failures: int) -> object:
            self._waits.mark_down(error)
            return fail(error, *failures)

        try:
            return await super().call_with_retry(do, fail_and_log, **newer)
        except RedisNotReady:
            raise
        except UNAVAILABLE as error:
            raise _exit(f"Redis does not answer ({error}); is it running?") from None

    async def on_connect(self, connection: AbstractConnection) -> None:
        """Signs in on a new connection.

        Raises:
            SystemExit: Redis refuses the user, password or database during startup.
        """
        try:
            await sign_in(connection)
        except ResponseError as error:
            # The caller waits out a temporary refusal.
            if self._connected or isinstance(error, UNAVAILABLE):
                raise
            raise refuse(error) from None
        self._connected = True


def refuse(error: BaseException) -> SystemExit:
    """Makes the exit with a one-line message, for an error that waiting cannot fix."""
    return _exit(sentence_of(error))


def _exit(reason: str) -> SystemExit:
    return SystemExit(f"flexiprice: {PREFIX}REDIS_URL: {without_secrets(reason)}")
