"""Receives pub/sub messages of Redis over one connection that all listeners share."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, suppress
from typing import Any, Final, cast

from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.redis.connection import UNAVAILABLE
from flexiprice.queue.redis.replies import sentence_of
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
_READ_TIMEOUT_SECONDS: Final = 5.0
_MAX_BACKOFF_SECONDS: Final = 2.0


class PubSubListener:
    """Sets an event for each message on a channel.

    An event is also set whenever its subscription is confirmed, at first and after every reconnect. A
    listener that reads its data after each event therefore misses no change. While Redis is unavailable
    there are no messages, so listeners must also poll.
    """

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._confirmed: set[str] = set()
        self._pubsub: PubSub | None = None
        self._reader: asyncio.Task[None] | None = None
        self._refused = False

    @asynccontextmanager
    async def subscribe(self, channel: str) -> AsyncGenerator[asyncio.Event]:
        """Listens on a channel while the context is open.

        Yields:
            An event that is set for each message. The listener clears it.
        """
        signal = asyncio.Event()
        listeners = self._listeners.setdefault(channel, set())
        listeners.add(signal)
        if channel in self._confirmed:
            signal.set()
        elif self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read(), name="flexiprice-pubsub")
        elif len(listeners) == 1 and self._pubsub is not None:
            with _ignoring_a_closed_connection():
                await self._pubsub.subscribe(channel)
        try:
            yield signal
        finally:
            listeners.discard(signal)
            if not listeners and self._listeners.get(channel) is listeners:
                await self._unsubscribe(channel)

    async def aclose(self) -> None:
        """Stops listening."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await cancel_and_wait(reader)

    async def _unsubscribe(self, channel: str) -> None:
        del self._listeners[channel]
        self._confirmed.discard(channel)
        if self._pubsub is not None:
            with _ignoring_a_closed_connection():
                await self._pubsub.unsubscribe(channel)

    async def _read(self) -> None:
        pause = 0.05
        while True:
            try:
                async with aclosing(self._redis.pubsub()) as pubsub:
                    await self._follow(pubsub)
            except UNAVAILABLE as error:
                _LOGGER.debug("pubsub_unavailable", error=str(error))
            except RedisError as error:
                # Listeners also poll, so that they only become slower.
                self._log_refusal(error)
            finally:
                self._pubsub = None
                self._confirmed.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _MAX_BACKOFF_SECONDS)

    def _log_refusal(self, error: RedisError) -> None:
        if not self._refused:
            self._refused = True
            _LOGGER.warning("pubsub_refused", reason=sentence_of(error))

    async def _follow(self, pubsub: PubSub) -> None:
        # Without a first subscription, redis-py sends a health check when it subscribes, and reads the reply
        # while our reader is reading.
        await pubsub.subscribe(keys.NOTHING, *self._listeners)
        # From here on, `subscribe` subscribes new channels itself.
        self._pubsub = pubsub
        while True:
            message = cast("Any", await pubsub.get_message(timeout=_READ_TIMEOUT_SECONDS))
            if message is None or message["type"] not in {"subscribe", "message"}:
                continue
            channel: str = message["channel"].decode()
            listeners = self._listeners.get(channel, ())
            if message["type"] == "subscribe" and listeners:
                self._confirmed.add(channel)
            for signal in listeners:
                signal.set()


def _ignoring_a_closed_connection() -> AbstractContextManager[None]:
    """Ignores that the connection is gone: the reader opens the next one with the channels of that time.

    The reader closes it on an error, and redis-py, which is about to write, then has nothing to write to: an
    `AttributeError`.
    """
    return suppress(*UNAVAILABLE, AttributeError)
