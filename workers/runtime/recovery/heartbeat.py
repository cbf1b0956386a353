"""A worker's heartbeat: says that it lives, hears what it is asked to do, and who does not live any more."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from redis.exceptions import RedisError

from flexiprice.queue.redis.replies import sentence_of
from flexiprice.queue.worker.heartbeat import (
    HEARTBEAT_EVERY,
    LEASE,
    HeartbeatReply,
    LiveWorker,
    send_heartbeat,
)
from flexiprice.telemetry import get_logger
from workers.runtime.context import WorkerContext
from workers.runtime.redis_retry import REDIS_UNAVAILABLE

_LOGGER = get_logger(__name__)
_LEASE_SECONDS: Final = LEASE.total_seconds()
# Between two heartbeats; the script that declares others lost has the same measure.
_LATE_SECONDS: Final = _LEASE_SECONDS / 2
_EVERY_SECONDS: Final = HEARTBEAT_EVERY.total_seconds()
# While Redis is away: when it is back, every worker must be heard before anyone may declare it lost.
_TRY_AGAIN_SECONDS: Final = 0.25


class LeaseGuard:
    """How long Redis has answered every heartbeat in time.

    Whoever hears from Redis again after a silence must not believe what it says of others: in the
    silence, their leases have lapsed like one's own.
    """

    def __init__(self) -> None:
        self._healthy_since: float | None = None
        self._last = 0.0

    def answered(self, now: float) -> None:
        """Notes an answer, at an instant of the loop's clock."""
        if self._healthy_since is None or now - self._last > _LATE_SECONDS:
            self._healthy_since = now
        self._last = now

    def missed(self) -> None:
        """Notes that there was none."""
        self._healthy_since = None

    def can_expire_others(self, now: float) -> bool:
        """It has lasted for a whole lease."""
        if self._healthy_since is None or now - self._last > _LATE_SECONDS:
            return False
        return now - self._healthy_since >= _LEASE_SECONDS


class Heartbeat:
    """Beats until the worker ends or counts as lost."""

    def __init__(
        self,
        context: WorkerContext,
        *,
        describe: Callable[[], LiveWorker],
        on_answer: Callable[[HeartbeatReply], None],
    ) -> None:
        """Prepares it.

        Args:
            context: what the worker's process gives it.
            describe: what the worker says of itself at the moment.
            on_answer: is told every answer.
        """
        self._redis = context.redis
        self._redis_retry = context.redis_retry
        self._describe = describe
        self._on_answer = on_answer
        self._clock = context.clock
        self._clock_watch = context.clock_watch
        self._contact = LeaseGuard()

    async def join(self) -> None:
        """Beats for the first time, however long Redis is away."""
        await self._redis_retry.call(lambda: self._beat(joining=True))

    async def main(self) -> None:
        """Beats until it is cancelled, or told that the worker is lost."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                answer = await self._beat()
            except REDIS_UNAVAILABLE as error:
                self._contact.missed()
                self._redis_retry.lost(error)
                await asyncio.sleep(_TRY_AGAIN_SECONDS)
                continue
            self._redis_retry.found(wrote=True)
            if answer.lost:
                return
            await asyncio.sleep(max(0.0, began + _EVERY_SECONDS - loop.time()))

    async def beat_now(self) -> None:
        """Says at once what has changed, if Redis takes it; the next heartbeat says it again."""
        try:
            await self._beat()
        except REDIS_UNAVAILABLE as error:
            self._redis_retry.lost(error)
        except RedisError as error:
            # The heartbeat itself meets the same error, and ends the worker for it.
            _LOGGER.warning("heartbeat_failed", reason=sentence_of(error))

    async def _beat(self, *, joining: bool = False) -> HeartbeatReply:
        loop = asyncio.get_running_loop()
        may_expire_others = self._contact.can_expire_others(loop.time())
        asked = time.monotonic()
        answer = await send_heartbeat(
            self._redis, self._describe(), joining=joining, may_expire_others=may_expire_others
        )
        if answer.server_seconds is not None:
            self._clock.observe(answer.server_seconds, asked=asked, answered=time.monotonic())
            self._clock_watch.look()
        self._contact.answered(loop.time())
        self._on_answer(answer)
        return answer


class WorkerIdMailbox:
    """Ids of workers of whom the heartbeat tells, for whoever comes for them."""

    def __init__(self) -> None:
        self._ids: Sequence[str] = ()
        self._heard = asyncio.Event()

    def hear(self, worker_ids: Sequence[str]) -> None:
        """Notes of whom it tells now."""
        self._ids = worker_ids
        if worker_ids:
            self._heard.set()

    async def next(self) -> Sequence[str]:
        """Waits until there is somebody."""
        await self._heard.wait()
        self._heard.clear()
        return self._ids
