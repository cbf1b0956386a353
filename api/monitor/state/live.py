"""Polls Redis and PostgreSQL for all pages: once a second, or every ten seconds without open pages."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy.exc import DBAPIError

from api.monitor.state.recent import STEP, WINDOW, RecentActivityReader
from api.monitor.state.snapshot import (
    BrokerSnapshot,
    QueuePoint,
    ServerHealth,
    Snapshot,
    read_broker_snapshot,
    step_of,
)
from flexiprice.errors import FlexiPriceError, InvalidSettings
from flexiprice.queue.declarations import SCHEDULES
from flexiprice.queue.redis.clock import ServerClock
from flexiprice.queue.task_definitions import task_names
from flexiprice.resources import Resources
from flexiprice.settings import Queue
from flexiprice.telemetry import get_logger

ACTIVE_POLL_SECONDS: Final = 1.0
IDLE_POLL_SECONDS: Final = 10.0
_READ_TIMEOUT_SECONDS: Final = 3.0
# Short for a server that is down, so that the data of the other one is not delayed.
_DOWN_TIMEOUT_SECONDS: Final = 0.8
# Cached reads; beyond this the oldest is dropped.
_MAX_CACHED: Final = 200
_MAX_POINTS: Final = WINDOW // STEP

_log = get_logger(__name__)
Value = TypeVar("Value")
Render = Callable[[Snapshot], None]


class Live:
    """Polls snapshots, keeps the last minutes of queue sizes, and notifies subscribers.

    Attributes:
        latest: the latest snapshot.
    """

    def __init__(self, resources: Resources) -> None:
        # Pages compare this clock with instants of the servers, so it must follow the clock of Redis.
        self._clock = ServerClock()
        self.latest = Snapshot(at=self._clock(), redis=ServerHealth(), database=ServerHealth())
        self._queue_points: deque[QueuePoint] = deque(maxlen=_MAX_POINTS)
        longest_run = resources.settings.time_limit
        self._recent = RecentActivityReader(resources.sessions, longest_run=longest_run)
        self._resources = resources
        self._subscribers: dict[int, Render] = {}
        self._next_subscriber = 0
        self._poll_now = asyncio.Event()
        self._polled = asyncio.Event()
        self._cached: dict[Hashable, tuple[float, asyncio.Future[Any]]] = {}

    def now(self) -> datetime:
        """Returns the current instant by the clock of Redis."""
        return self._clock()

    async def run(self) -> None:
        """Polls until it is cancelled."""
        while True:
            began = time.monotonic()
            self._poll_now.clear()
            try:
                await self._poll()
            except Exception:  # noqa: BLE001 -- any error of one poll
                # The loop must survive, or pages would show outdated data for ever.
                _log.exception("poll_failed")
            self._polled.set()
            for subscriber, render in list(self._subscribers.items()):
                # It may have unsubscribed while another one was rendered.
                if subscriber in self._subscribers:
                    self._render(render)
            every = ACTIVE_POLL_SECONDS if self._subscribers else IDLE_POLL_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.05, began + every - time.monotonic())):
                    await self._poll_now.wait()

    def subscribe(self, render: Render) -> Callable[[], None]:
        """Calls a function after every poll, until the returned function is called."""
        subscriber = self._next_subscriber
        self._next_subscriber += 1
        self._subscribers[subscriber] = render
        if len(self._subscribers) == 1:
            self._poll_now.set()
        return lambda: self._unsubscribe(subscriber)

    async def fresh(self) -> Snapshot:
        """Returns a snapshot of the last seconds; waits for a limited time if the latest is older."""
        age = self._clock() - self.latest.at
        if not self._polled.is_set() or age.total_seconds() > 2 * ACTIVE_POLL_SECONDS:
            self._polled.clear()
            self._poll_now.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(_READ_TIMEOUT_SECONDS / 2):
                    await self._polled.wait()
        return self.latest

    async def cached(
        self, key: Hashable, read: Callable[[], Awaitable[Value]], *, max_age: float = ACTIVE_POLL_SECONDS
    ) -> Value:
        """Returns a cached value, or reads it; concurrent calls share one read.

        Args:
            key: identifies the value.
            read: reads the value in a task of its own, outside the context of a page.
            max_age: seconds for which a value is valid.

        Raises:
            FlexiPriceError: raised by `read`; it is cached too.
        """
        found = self._cached.get(key)
        if found is None or time.monotonic() - found[0] > max_age:
            if len(self._cached) >= _MAX_CACHED:
                self._cached.pop(next(iter(self._cached)))
            self._cached.pop(key, None)
            found = (time.monotonic(), asyncio.ensure_future(read()))
            self._cached[key] = found
        # Shielded: the cancellation of one caller must not cancel the read of the others.
        answer: Value = await asyncio.shield(found[1])
        return answer

    def _unsubscribe(self, subscriber: int) -> None:
        self._subscribers.pop(subscriber, None)

    def _render(self, render: Render) -> None:
        try:
            render(self.latest)
        except Exception:  # noqa: BLE001 -- any error of one page
            # The other pages must be rendered nevertheless.
            _log.exception("page_not_rendered")

    async def _poll(self) -> None:
        before = self.latest
        now = self._clock()
        # Concurrently, so that a server that is down does not delay the other.
        (broker, redis), (recent, database) = await asyncio.gather(
            self._measured(read_broker_snapshot(self._resources.tasks, self._clock), before.redis),
            self._measured(
                self._recent.read(
                    now,
                    tasks=task_names(before.broker.workers if before.broker else ()),
                    scheduled=_scheduled(before.broker),
                ),
                before.database,
            ),
        )
        if broker is not None:
            point, points = QueuePoint.of(broker), self._queue_points
            if points and step_of(points[-1].at) == step_of(point.at):
                points.pop()
            points.append(point)
        self.latest = Snapshot(
            at=self._clock(),
            redis=redis,
            database=database,
            broker=broker or before.broker,
            recent=recent or before.recent,
            queue_points=tuple(self._queue_points),
            unserved_since=before.unserved_since if broker is None else _unserved(broker, before),
        )

    async def _measured(
        self, reading: Awaitable[Value], before: ServerHealth
    ) -> tuple[Value | None, ServerHealth]:
        began = time.monotonic()
        try:
            async with asyncio.timeout(
                _READ_TIMEOUT_SECONDS if before.down_since is None else _DOWN_TIMEOUT_SECONDS
            ):
                value = await reading
        except TimeoutError:
            return None, before.after_failure(self._clock(), "does not answer in time")
        except FlexiPriceError as error:
            refuses = bool(error.details.get("answers")) or isinstance(error, InvalidSettings)
            return None, before.after_failure(self._clock(), error.message, refuses=refuses)
        except DBAPIError as error:
            _log.warning("snapshot_read_failed", reason=str(error.orig))
            return None, before.after_failure(self._clock(), "rejects a query; see the monitor's log")
        except Exception as error:  # noqa: BLE001 -- any error; the next poll tries again
            _log.exception("snapshot_read_failed")
            return None, before.after_failure(self._clock(), f"{type(error).__name__}: see the log")
        return value, before.after_success(self._clock(), time.monotonic() - began)


def _scheduled(broker: BrokerSnapshot | None) -> set[str]:
    """Returns the names of the scheduled tasks."""
    schedules = broker.schedules if broker else ()
    return {schedule.task.name for schedule in SCHEDULES} | {state.task for state in schedules}


def _unserved(broker: BrokerSnapshot, before: Snapshot) -> dict[Queue, datetime | None]:
    served = {queue for worker in broker.workers if worker.takes_jobs for queue in worker.queues}
    found_at = None if before.broker is None else broker.at
    return {queue: before.unserved_since.get(queue, found_at) for queue in Queue if queue not in served}
