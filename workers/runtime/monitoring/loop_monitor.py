"""Noticing an event loop that something blocks, and saying who does it while it does."""

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
# The lag that is shown is the largest of so long a time, so that a look now and then misses none.
_LAG_WINDOW_SECONDS: Final = 10.0
_BEATS_PER_THRESHOLD: Final = 4
_FRAMES: Final = 30
_NAMES: Final = 20


class LoopMonitor:
    """Watches an event loop from a thread of its own, at next to no cost.

    The loop is asked to beat a few times per threshold; how late a beat comes is the loop's lag. A beat
    that is overdue by the threshold means that the loop is blocked: that is said once, with the asyncio
    task that holds the loop, the jobs that run, and the stack of the loop's thread, while it lasts.

    Where the thread itself could not run either, no stack can be told. If the process used the processor
    meanwhile, a call held the interpreter, which is said when it is over; if not, the process was paused
    from outside, which nobody here is to blame for.
    """

    def __init__(
        self,
        *,
        threshold: timedelta = THRESHOLD,
        running: Callable[[], Sequence[str]] = tuple,
        on_lag: Callable[[float], None] = lambda _: None,
        on_block: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepares the watch.

        Args:
            threshold: for how long the loop may be blocked before that is worth a word.
            running: names the jobs that run; called from another thread while the loop is blocked.
            on_lag: is told the lag of every beat, in seconds, on the loop.
            on_block: is told of every block, on the thread.
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
        # When the next beat is due, and the processor's time that the process had used when it was asked for.
        self._next = (0.0, 0.0)
        # The latest beat that came too late: when it was due, its lag, and the processor's time until then.
        self._late = (0.0, 0.0, 0.0)
        # When the beat was due that a block kept from coming, as opposed to a pause of the process.
        self._blocked_since = 0.0

    @property
    def blocks(self) -> int:
        """How often the loop was blocked for longer than the threshold."""
        return self._blocks

    @property
    def lag(self) -> timedelta:
        """The largest lag of the last seconds, that of a block which lasts included."""
        overdue = time.monotonic() - self._next[0] if self._thread is not None else 0.0
        return timedelta(seconds=max(overdue, 0.0, *self._lags))

    def was_blocked(self, *, within: timedelta) -> bool:
        """Whether the loop was blocked at any moment of the last seconds by something that it ran.

        False where it stood still because the process was paused from outside.
        """
        due, lag, _ = self._late
        next_due, _ = self._next
        end = time.monotonic() if next_due == self._blocked_since else due + lag
        known = self._blocked_since > 0 and self._blocked_since in {due, next_due}
        return known and time.monotonic() - end <= within.total_seconds()

    def start(self) -> None:
        """Begins to watch the running loop, in whose thread it is called."""
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
        """Ends the watch; without effect where none runs."""
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
        told_of = 0.0
        while True:
            due, used_before = self._next
            deadline = due + self._threshold if due > told_of else time.monotonic() + self._every
            if self._stopped.wait(max(0.0, deadline - time.monotonic())):
                return
            now, over = time.monotonic(), self._next[0] != due
            # Counted from the beat before: when this thread comes to look, the block may be over.
            still = (due, now - due, time.process_time() - used_before)
            blocked_since, seconds, processor_seconds = self._late if over else still
            if seconds < self._threshold or blocked_since <= told_of:
                continue
            told_of = blocked_since
            if over or now - deadline > self._threshold / 2:
                blocked = self._say_what_held_everything(seconds, processor_seconds)
            else:
                blocked = True
                self._log_blocker(loop, loop_thread, seconds)
            if blocked:
                self._blocked_since = blocked_since

    def _log_blocker(self, loop: asyncio.AbstractEventLoop, loop_thread: int, seconds: float) -> None:
        frame = sys._current_frames().get(loop_thread)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- documented, in spite of its name
        task = asyncio.current_task(loop)
        self._count()
        _LOGGER.warning(
            "event_loop_blocked",
            blocked_by=None if task is None else task.get_name(),
            jobs=self._jobs(),
            seconds=round(seconds, 3),
            stack="" if frame is None else "".join(traceback.format_stack(frame, limit=_FRAMES)),
        )

    def _say_what_held_everything(self, seconds: float, processor_seconds: float) -> bool:
        """Returns whether it was something that the process ran."""
        if processor_seconds < seconds / 10:
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
