"""What the pages show, read once a second for all who look, and more seldom while nobody does."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, TypeVar

from sqlalchemy.exc import DBAPIError

from api.monitor.state.recent import STEP, WINDOW, RecentActivityReader
from api.monitor.state.snapshot import Fleet, QueuePoint, ServerHealth, Snapshot, read_fleet, step_of
from flexiprice.errors import FlexiPriceError, InvalidSettings
from flexiprice.queue.declarations import SCHEDULES
from flexiprice.queue.redis.clock import ServerClock
from flexiprice.queue.task_definitions import task_names
from flexiprice.resources import Resources
from flexiprice.settings import Queue
from flexiprice.telemetry import get_logger

WATCHED_EVERY_SECONDS: Final = 1.0
UNWATCHED_EVERY_SECONDS: Final = 10.0
_PATIENCE_SECONDS: Final = 3.0
# With a server that is away: what is heard of the other must not wait for it.
_SHORT_PATIENCE_SECONDS: Final = 0.8
# Sharing is for the moment; what nobody asks for any more goes.
_MOST_SHARED: Final = 200
_KEPT_POINTS: Final = WINDOW // STEP

_log = get_logger(__name__)
Value = TypeVar("Value")
Render = Callable[[Snapshot], None]


class Live:
    """Reads how things stand, remembers the last minutes, and tells those who look.

    Attributes:
        latest: how things stood when last read.
    """

    def __init__(self, resources: Resources) -> None:
        # Pages compare instants of the servers with this one, so it must not be this machine's.
        self._clock = ServerClock()
        self.latest = Snapshot(at=self._clock(), redis=ServerHealth(), database=ServerHealth())
        self._queue_points: deque[QueuePoint] = deque(maxlen=_KEPT_POINTS)
        longest_run = resources.settings.time_limit
        self._history = RecentActivityReader(resources.sessions, longest_run=longest_run)
        self._resources = resources
        self._watchers: dict[int, Render] = {}
        self._next_watcher = 0
        self._wanted = asyncio.Event()
        self._read = asyncio.Event()
        self._shared: dict[Hashable, tuple[float, asyncio.Future[Any]]] = {}

    def now(self) -> datetime:
        """The instant by the clock of Redis, with which all that is shown is compared."""
        return self._clock()

    async def run(self) -> None:
        """Reads until it is cancelled."""
        while True:
            began = time.monotonic()
            self._wanted.clear()
            try:
                await self._look()
            except Exception:  # noqa: BLE001 -- whatever it is
                # Pages that show for ever how things stood would be worse than one reading that is missing.
                _log.exception("reading_failed")
            self._read.set()
            for watcher, render in list(self._watchers.items()):
                # Whoever went away while another was told is not told any more.
                if watcher in self._watchers:
                    self._tell(render)
            every = WATCHED_EVERY_SECONDS if self._watchers else UNWATCHED_EVERY_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.05, began + every - time.monotonic())):
                    await self._wanted.wait()

    def watch(self, render: Render) -> Callable[[], None]:
        """Has a function told of every reading, until the returned one is called."""
        watcher = self._next_watcher
        self._next_watcher += 1
        self._watchers[watcher] = render
        if len(self._watchers) == 1:
            self._wanted.set()
        return lambda: self._unwatch(watcher)

    async def first(self) -> Snapshot:
        """How things stand, once they have been read at all and not long ago."""
        age = self._clock() - self.latest.at
        if not self._read.is_set() or age.total_seconds() > 2 * WATCHED_EVERY_SECONDS:
            self._read.clear()
            self._wanted.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_SECONDS / 2):
                    await self._read.wait()
        return self.latest

    async def shared(
        self, key: Hashable, read: Callable[[], Awaitable[Value]], *, max_age: float = WATCHED_EVERY_SECONDS
    ) -> Value:
        """What a reading gives, which all who ask for the same within its age share.

        Args:
            key: what is read; two readings of one key must give the same.
            read: reads it, in a task of its own: what it needs of the page it must bring along.
            max_age: seconds for which an answer holds.

        Raises:
            FlexiPriceError: what the reading raises; it is shared too.
        """
        found = self._shared.get(key)
        if found is None or time.monotonic() - found[0] > max_age:
            if len(self._shared) >= _MOST_SHARED:
                self._shared.pop(next(iter(self._shared)))
            self._shared.pop(key, None)
            found = (time.monotonic(), asyncio.ensure_future(read()))
            self._shared[key] = found
        # Of those who wait, one may go away without the others losing the answer.
        answer: Value = await asyncio.shield(found[1])
        return answer

    def _unwatch(self, watcher: int) -> None:
        self._watchers.pop(watcher, None)

    def _tell(self, render: Render) -> None:
        try:
            render(self.latest)
        except Exception:  # noqa: BLE001 -- whatever it is
            # One page that breaks must not leave the others without news.
            _log.exception("page_not_rendered")

    async def _look(self) -> None:
        before = self.latest
        now = self._clock()
        # At once, so that news of one does not wait for the other where that is away.
        (fleet, redis), (history, database) = await asyncio.gather(
            self._timed(read_fleet(self._resources.tasks, self._clock), before.redis),
            self._timed(
                self._history.read(
                    now,
                    tasks=task_names(before.fleet.workers if before.fleet else ()),
                    scheduled=_scheduled(before.fleet),
                ),
                before.database,
            ),
        )
        if fleet is not None:
            point, points = QueuePoint.of(fleet), self._queue_points
            if points and step_of(points[-1].at) == step_of(point.at):
                points.pop()
            points.append(point)
        self.latest = Snapshot(
            at=self._clock(),
            redis=redis,
            database=database,
            fleet=fleet or before.fleet,
            history=history or before.history,
            queue_points=tuple(self._queue_points),
            unserved_since=before.unserved_since if fleet is None else _unserved(fleet, before),
        )

    async def _timed(
        self, reading: Awaitable[Value], before: ServerHealth
    ) -> tuple[Value | None, ServerHealth]:
        began = time.monotonic()
        try:
            async with asyncio.timeout(
                _PATIENCE_SECONDS if before.away_since is None else _SHORT_PATIENCE_SECONDS
            ):
                value = await reading
        except TimeoutError:
            return None, before.after_silence(self._clock(), "does not answer in time")
        except FlexiPriceError as error:
            refuses = bool(error.details.get("answers")) or isinstance(error, InvalidSettings)
            return None, before.after_silence(self._clock(), error.message, refuses=refuses)
        except DBAPIError as error:
            _log.warning("not_read", reason=str(error.orig))
            return None, before.after_silence(self._clock(), "refuses what it is asked; the log says why")
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not end the reading
            _log.exception("not_read")
            return None, before.after_silence(self._clock(), f"{type(error).__name__}: see the log")
        return value, before.after_answer(self._clock(), time.monotonic() - began)


def _scheduled(fleet: Fleet | None) -> set[str]:
    """Names of the tasks that run by themselves."""
    schedules = fleet.schedules if fleet else ()
    return {schedule.task.name for schedule in SCHEDULES} | {state.task for state in schedules}


def _unserved(fleet: Fleet, before: Snapshot) -> dict[Queue, datetime | None]:
    served = {queue for worker in fleet.workers if worker.takes_jobs for queue in worker.queues}
    found_at = None if before.fleet is None else fleet.at
    return {queue: before.unserved_since.get(queue, found_at) for queue in Queue if queue not in served}
