"""Hearing at once what is published in Redis, over one connection that all listeners share."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final, cast

from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.cancellation import cancelled
from flexiprice.queue.redis.connection import UNAVAILABLE
from flexiprice.queue.redis.replies import sentence_of
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
_READ_TIMEOUT: Final = 5.0
_LONGEST_PAUSE: Final = 2.0


class PubSubListener:
    """Sets an event for each message on a channel.

    An event is also set when its subscription has just been confirmed, at first and after every lost
    connection: whoever looks after each event therefore misses nothing. While Redis is away nothing is
    heard, so a listener looks from time to time by itself.
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
        """Listens on a channel for as long as the context is open.

        Yields:
            An event that is set for each message; the listener clears it.
        """
        signal = asyncio.Event()
        listeners = self._listeners.setdefault(channel, set())
        listeners.add(signal)
        if channel in self._confirmed:
            signal.set()
        elif self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read(), name="flexiprice-announcements")
        elif len(listeners) == 1 and self._pubsub is not None:
            with suppress(*UNAVAILABLE):
                await self._pubsub.subscribe(channel)
        try:
            yield signal
        finally:
            listeners.discard(signal)
            if not listeners and self._listeners.get(channel) is listeners:
                await self._leave(channel)

    async def aclose(self) -> None:
        """Stops listening."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await cancelled(reader)

    async def _leave(self, channel: str) -> None:
        del self._listeners[channel]
        self._confirmed.discard(channel)
        if self._pubsub is not None:
            with suppress(*UNAVAILABLE):
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
                # Whoever listens looks from time to time too, so that it goes on, only slower.
                self._note_refusal(error)
            finally:
                self._pubsub = None
                self._confirmed.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _note_refusal(self, error: RedisError) -> None:
        if not self._refused:
            self._refused = True
            _LOGGER.warning("announcements_refused", reason=sentence_of(error))

    async def _follow(self, pubsub: PubSub) -> None:
        # Where there is nothing to subscribe to, redis-py asks whether a connection lives before it
        # subscribes, and reads the answer while our reader is reading.
        await pubsub.subscribe(keys.NOTHING, *self._listeners)
        # From here on, whoever comes subscribes by itself.
        self._pubsub = pubsub
        while True:
            message = cast("Any", await pubsub.get_message(timeout=_READ_TIMEOUT))
            if message is None or message["type"] not in {"subscribe", "message"}:
                continue
            channel: str = message["channel"].decode()
            listeners = self._listeners.get(channel, ())
            if message["type"] == "subscribe" and listeners:
                self._confirmed.add(channel)
            for signal in listeners:
                signal.set()
