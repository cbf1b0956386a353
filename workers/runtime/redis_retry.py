"""Outliving a Redis that is away: workers wait for it, and say so once."""

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
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
_START_ATTEMPTS: Final = 30

ResultT = TypeVar("ResultT")


class RedisRetry:
    """Repeats calls until Redis is back.

    Attributes:
        over: the worker stops, so a call that fails is not repeated.
    """

    def __init__(self) -> None:
        self.closed = False
        self._away_since: float | None = None
        self._refuses_writes = False

    async def call(self, call: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Calls, and calls again for as long as Redis is away; the call must be safe to repeat.

        Raises:
            RedisUnavailable: Redis is away and patience is over; or an error of redis-py that means it.
        """
        pause, writes = _FIRST_PAUSE, False
        while True:
            try:
                result = await call()
            except REDIS_UNAVAILABLE as error:
                self.lost(error)
                if self.closed:
                    raise
                writes = isinstance(_reply(error), RedisNotWritable)
            else:
                self.found(wrote=writes)
                return result
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 -- spreads out, hides nothing
            pause = min(pause * 2, _LONGEST_PAUSE)

    def lost(self, error: BaseException) -> None:
        """Notes that Redis did not do what it was asked; the first of many says so."""
        reply = _reply(error)
        if isinstance(reply, RedisNotWritable):
            self._refuses_writes = True
        if self._away_since is not None:
            return
        self._away_since = asyncio.get_running_loop().time()
        if reply is None:
            _LOGGER.warning("redis_unavailable", error=str(error))
        else:
            _LOGGER.warning("redis_not_ready", reason=sentence_of(reply))

    def found(self, *, wrote: bool = False) -> None:
        """Notes that Redis did what it was asked; where it refused writes, that it `wrote` is what counts."""
        if self._away_since is None or (self._refuses_writes and not wrote):
            return
        seconds = asyncio.get_running_loop().time() - self._away_since
        self._away_since, self._refuses_writes = None, False
        _LOGGER.info("redis_recovered", away_seconds=round(seconds, 1))


def _reply(error: BaseException) -> RedisNotReady | None:
    """The error reply that an error is, or was made of."""
    return next((one for one in (error, error.__cause__) if isinstance(one, RedisNotReady)), None)


class StartupRetry(Retry):
    """Waits at a worker's start for a Redis that starts too, and else ends the program in plain words.

    Once a connection was made, it repeats a lost connection a few times, as other programs' clients do.
    """

    def __init__(self, attempts: int = _START_ATTEMPTS) -> None:
        self._usual = Retry(EqualJitterBackoff(cap=0.5, base=0.02), retries=4)
        self._connected = False
        self._waits = RedisRetry()
        # redis-py's own choice leaves out the very errors of connecting. A server that answers is there.
        away = [kind for kind in UNAVAILABLE if kind is not RedisNotReady]
        errors = cast("tuple[type[RedisError], ...]", tuple(away))
        super().__init__(EqualJitterBackoff(cap=1.0, base=0.1), attempts - 1, errors)

    def __deepcopy__(self, _: object) -> "StartupRetry":
        # Every connection copies its retry; that one of them was made concerns all.
        return self

    async def call_with_retry(
        self,
        do: Callable[[], Awaitable[ResultT]],
        fail: Callable[..., Any],
        **newer: Any,  # noqa: ANN401 -- as redis-py has it
    ) -> ResultT:
        """As its base class has it; newer versions of redis-py have more options, which are passed on.

        Raises:
            SystemExit: Redis does not answer at the start.
        """
        if self._connected:
            return await self._usual.call_with_retry(do, fail, **newer)

        def fail_and_say(error: Exception, *failures: int) -> object:
            self._waits.lost(error)
            return fail(error, *failures)

        try:
            return await super().call_with_retry(do, fail_and_say, **newer)
        except RedisNotReady:
            raise
        except UNAVAILABLE as error:
            raise _ended(f"Redis does not answer ({error}); is it running?") from None

    async def on_connect(self, connection: AbstractConnection) -> None:
        """Signs in on a new connection.

        Raises:
            SystemExit: Redis refuses user, password or database at the start.
        """
        try:
            await sign_in(connection)
        except ResponseError as error:
            # One that heals by itself is waited out by whoever wanted the connection.
            if self._connected or isinstance(error, UNAVAILABLE):
                raise
            raise refuse(error) from None
        self._connected = True


def refuse(error: BaseException) -> SystemExit:
    """Ends the program in one sentence, for an error that no patience helps against."""
    return _ended(sentence_of(error))


def _ended(reason: str) -> SystemExit:
    return SystemExit(f"flexiprice: {PREFIX}REDIS_URL: {without_secrets(reason)}")
