"""Detects a blocked event loop, and logs what blocks it while it is blocked."""

import asyncio
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Final

from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)

THRESHOLD: Final = timedelta(seconds=1)
# The reported lag is the maximum of this window, so that infrequent readers miss none.
_LAG_WINDOW_SECONDS: Final = 10.0
_BEATS_PER_THRESHOLD: Final = 4
_FRAMES: Final = 30
_NAMES: Final = 20


class LoopMonitor:
    """Watches an event loop from a separate thread, at little cost.

    The loop schedules several beats per threshold. The delay of a beat is the loop's lag. If a beat is
    overdue by the threshold, the loop is blocked. The thread logs each block once, while it lasts: the
    current asyncio task, the running jobs and the stack of the loop's thread.

    If the thread could not run either, no stack is available. If the process used the CPU meanwhile, a call
    held the interpreter lock; that is logged afterwards. Otherwise the process was paused from outside.
    """

    def __init__(
        self,
        *,
        threshold: timedelta = THRESHOLD,
        running: Callable[[], Sequence[str]] = tuple,
        on_lag: Callable[[float], None] = lambda _: None,
        on_block: Callable[[], None] = lambda: None,
    ) -> None:
        """Creates a monitor; `start` begins to watch.

        Args:
            threshold: how long the loop may be blocked before it is logged.
            running: returns the names of running jobs; called on the thread.
            on_lag: called on the loop with the lag of every beat, in seconds.
            on_block: called on the thread for every block.
        """
        self._threshold = threshold.total_seconds()
        self._every = self._threshold / _BEATS_PER_THRESHOLD
        self._running = running
        self._on_lag = on_lag
        self._on_block = on_block
        self._blocks = 0
        self._lags = deque[float](maxlen=max(1, round(_LAG_WINDOW_SECONDS / self._every)))
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._timer: asyncio.TimerHandle | None = None
        # Due time of the next beat, and the process's CPU time when it was scheduled.
        self._next = (0.0, 0.0)
        # The latest late beat: its due time, its lag, and the CPU time used meanwhile.
        self._late = (0.0, 0.0, 0.0)
        # Due time of the beat that was last delayed by a block, not by a pause of the process.
        self._blocked_since = 0.0

    @property
    def blocks(self) -> int:
        """Number of blocks longer than the threshold."""
        return self._blocks

    @property
    def lag(self) -> timedelta:
        """Maximum lag of the last 10 seconds, including a block in progress."""
        overdue = time.monotonic() - self._next[0] if self._thread is not None else 0.0
        return timedelta(seconds=max(overdue, 0.0, *self._lags))

    def was_blocked(self, *, within: timedelta) -> bool:
        """Whether code on the loop has blocked it within the given time.

        Pauses of the process from outside do not count.
        """
        due, lag, _ = self._late
        next_due, _ = self._next
        end = time.monotonic() if next_due == self._blocked_since else due + lag
        known = self._blocked_since > 0 and self._blocked_since in {due, next_due}
        return known and time.monotonic() - end <= within.total_seconds()

    def start(self) -> None:
        """Starts to watch the running loop. Call it on the loop's thread."""
        loop = asyncio.get_running_loop()
        self._stopped.clear()
        self._lags.clear()
        self._late = (0.0, 0.0, 0.0)
        self._blocked_since = 0.0
        self._schedule(loop)
        self._thread = threading.Thread(
            target=self._watch, args=(loop, threading.get_ident()), name="loop-watch", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stops watching. Does nothing if not started."""
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._next = (time.monotonic() + self._every, time.process_time())
        self._timer = loop.call_later(self._every, self._beat, loop)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        due, used_before = self._next
        lag = max(0.0, time.monotonic() - due)
        self._lags.append(lag)
        if lag >= self._threshold:
            self._late = (due, lag, time.process_time() - used_before)
        self._schedule(loop)
        self._on_lag(lag)

    def _watch(self, loop: asyncio.AbstractEventLoop, loop_thread: int) -> None:
        reported = 0.0
        while True:
            due, used_before = self._next
            deadline = due + self._threshold if due > reported else time.monotonic() + self._every
            if self._stopped.wait(max(0.0, deadline - time.monotonic())):
                return
            now, is_over = time.monotonic(), self._next[0] != due
            # Counted from the beat before: the block may be over when this thread runs.
            ongoing = (due, now - due, time.process_time() - used_before)
            blocked_since, seconds, cpu_seconds = self._late if is_over else ongoing
            if seconds < self._threshold or blocked_since <= reported:
                continue
            reported = blocked_since
            if is_over or now - deadline > self._threshold / 2:
                blocked = self._log_stall(seconds, cpu_seconds)
            else:
                blocked = True
                self._log_blocker(loop, loop_thread, seconds)
            if blocked:
                self._blocked_since = blocked_since

    def _log_blocker(self, loop: asyncio.AbstractEventLoop, loop_thread: int, seconds: float) -> None:
        frame = sys._current_frames().get(loop_thread)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- documented despite its name
        task = asyncio.current_task(loop)
        self._count()
        _LOGGER.warning(
            "event_loop_blocked",
            blocked_by=None if task is None else task.get_name(),
            jobs=self._jobs(),
            seconds=round(seconds, 3),
            stack="" if frame is None else "".join(traceback.format_stack(frame, limit=_FRAMES)),
        )

    def _log_stall(self, seconds: float, cpu_seconds: float) -> bool:
        """Returns whether code of this process caused the stall."""
        if cpu_seconds < seconds / 10:
            _LOGGER.warning("process_paused", seconds=round(seconds, 3))
            return False
        self._count()
        _LOGGER.warning(
            "interpreter_blocked",
            jobs=self._jobs(),
            seconds=round(seconds, 3),
        )
        return True

    def _count(self) -> None:
        self._blocks += 1
        self._on_block()

    def _jobs(self) -> list[str]:
        return list(islice(self._running(), _NAMES))
