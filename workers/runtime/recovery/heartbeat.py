"""Renews a worker's lease, and receives its commands and the ids of dead workers."""

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
# Maximum time between heartbeats; the script that declares workers dead uses the same limit.
_LATE_SECONDS: Final = _LEASE_SECONDS / 2
_INTERVAL_SECONDS: Final = HEARTBEAT_EVERY.total_seconds()
# While Redis is unavailable. Afterwards every worker must renew its lease before others may expire it.
_RETRY_SECONDS: Final = 0.25


class LeaseGuard:
    """Decides whether this worker may declare others dead.

    After an outage of Redis, all leases have expired at once. A worker may expire the leases of others only
    after a whole lease of heartbeats in time.
    """

    def __init__(self) -> None:
        self._healthy_since: float | None = None
        self._last = 0.0

    def record_success(self, now: float) -> None:
        """Records a reply at a time of the loop's clock."""
        if self._healthy_since is None or now - self._last > _LATE_SECONDS:
            self._healthy_since = now
        self._last = now

    def record_failure(self) -> None:
        """Records a failed heartbeat."""
        self._healthy_since = None

    def can_expire_others(self, now: float) -> bool:
        """Whether heartbeats have succeeded for a whole lease."""
        if self._healthy_since is None or now - self._last > _LATE_SECONDS:
            return False
        return now - self._healthy_since >= _LEASE_SECONDS


class Heartbeat:
    """Sends heartbeats until the worker stops or its lease expires."""

    def __init__(
        self,
        context: WorkerContext,
        *,
        describe: Callable[[], LiveWorker],
        on_reply: Callable[[HeartbeatReply], None],
    ) -> None:
        """Starts without a lease.

        Args:
            context: the resources of the worker process.
            describe: returns the current state of the worker.
            on_reply: called with every reply.
        """
        self._redis = context.redis
        self._redis_retry = context.redis_retry
        self._describe = describe
        self._on_reply = on_reply
        self._clock = context.clock
        self._clock_monitor = context.clock_monitor
        self._lease_guard = LeaseGuard()

    async def join(self) -> None:
        """Sends the first heartbeat; waits while Redis is unavailable."""
        await self._redis_retry.call(lambda: self._beat(joining=True))

    async def main(self) -> None:
        """Sends heartbeats until it is cancelled or the lease has expired."""
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                reply = await self._beat()
            except REDIS_UNAVAILABLE as error:
                self._lease_guard.record_failure()
                self._redis_retry.mark_down(error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._redis_retry.mark_up(wrote=True)
            if reply.lost:
                return
            await asyncio.sleep(max(0.0, started + _INTERVAL_SECONDS - loop.time()))

    async def beat_now(self) -> None:
        """Publishes a change at once. If that fails, the next heartbeat repeats it."""
        try:
            await self._beat()
        except REDIS_UNAVAILABLE as error:
            self._redis_retry.mark_down(error)
        except RedisError as error:
            # `main` meets the same error and stops the worker.
            _LOGGER.warning("heartbeat_failed", reason=sentence_of(error))

    async def _beat(self, *, joining: bool = False) -> HeartbeatReply:
        loop = asyncio.get_running_loop()
        may_expire_others = self._lease_guard.can_expire_others(loop.time())
        sent_at = time.monotonic()
        reply = await send_heartbeat(
            self._redis, self._describe(), joining=joining, may_expire_others=may_expire_others
        )
        if reply.server_seconds is not None:
            self._clock.observe(reply.server_seconds, asked=sent_at, answered=time.monotonic())
            self._clock_monitor.check()
        self._lease_guard.record_success(loop.time())
        self._on_reply(reply)
        return reply


class WorkerIdMailbox:
    """Holds the latest worker ids of the heartbeat for one consumer."""

    def __init__(self) -> None:
        self._ids: Sequence[str] = ()
        self._filled = asyncio.Event()

    def put(self, worker_ids: Sequence[str]) -> None:
        """Replaces the ids; wakes the consumer if there are any."""
        self._ids = worker_ids
        if worker_ids:
            self._filled.set()

    async def get(self) -> Sequence[str]:
        """Waits for ids and returns them."""
        await self._filled.wait()
        self._filled.clear()
        return self._ids
