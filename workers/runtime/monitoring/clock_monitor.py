"""Compares the machine's clock with that of Redis; a large drift stops scheduling."""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Final

from flexiprice.queue.redis.clock import DRIFT_LIMIT, DRIFT_WARNING, ServerClock, drift_in_words
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
# Hysteresis: a drift near the threshold does not fill the log.
_MENDED: Final = DRIFT_WARNING / 2
_ADVICE: Final = "set the clock that is wrong, as by NTP; `flexiprice doctor` compares all of them"


class ClockMonitor:
    """Logs each change of the drift once.

    Attributes:
        refuses: whether the drift is too large for this worker to schedule.
    """

    def __init__(self, clock: ServerClock, *, on_mended: Callable[[], None]) -> None:
        """Starts without a known drift.

        Args:
            clock: the clock of Redis.
            on_mended: called when the worker may schedule again.
        """
        self.refuses = False
        self._clock = clock
        self._on_mended = on_mended
        self._warned = False

    def check(self) -> None:
        """Checks the current drift."""
        drift = self._clock.drift
        facts = {"drift_seconds": drift.total_seconds(), "clock": f"{drift_in_words(drift)} that of Redis"}
        if abs(drift) > DRIFT_LIMIT:
            if not self.refuses:
                _LOGGER.error("schedules_refused", **facts, advice=_ADVICE)
            self.refuses = self._warned = True
            return
        if self.refuses:
            self.refuses = False
            _LOGGER.info("schedules_resumed", **facts)
            self._on_mended()
        if abs(drift) > DRIFT_WARNING and not self._warned:
            self._warned = True
            _LOGGER.warning("clock_drift", **facts, advice=_ADVICE)
        elif abs(drift) <= _MENDED and self._warned:
            self._warned = False
            _LOGGER.info("clock_drift_mended", **facts)


class ClockZone(tzinfo):
    """UTC, but `datetime.now(zone)` returns the time of the given clock.

    arq's worker calls `datetime.now` with its time zone, which is its only hook for another clock.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Takes a clock that returns aware instants in UTC."""
        self._clock = clock

    def fromutc(self, _: datetime, /) -> datetime:
        """Returns the time of the clock instead of the machine's."""
        return self._clock()

    def utcoffset(self, _: datetime | None, /) -> timedelta:
        """Returns zero."""
        return timedelta(0)

    def dst(self, _: datetime | None, /) -> timedelta:
        """Returns zero."""
        return timedelta(0)

    def tzname(self, _: datetime | None, /) -> str:
        """Returns the name of UTC."""
        return "UTC"
