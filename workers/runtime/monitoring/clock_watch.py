"""Compares the machine's clock with that of Redis: warns of a drift, and beyond a limit stops scheduling."""

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Final

from flexiprice.queue.redis.clock import DRIFT_LIMIT, DRIFT_WARNING, ServerClock, drift_in_words
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)
# A clock that is near the threshold does not fill the log.
_MENDED: Final = DRIFT_WARNING / 2
_ADVICE: Final = "set the clock that is wrong, as by NTP; `flexiprice doctor` compares all of them"


class ClockWatch:
    """Tells each change of the drift once.

    Attributes:
        refuses: whether the drift is so large that this worker schedules nothing.
    """

    def __init__(self, clock: ServerClock, *, on_mended: Callable[[], None]) -> None:
        """Prepares it.

        Args:
            clock: the clock of Redis.
            on_mended: is called when the worker may schedule again.
        """
        self.refuses = False
        self._clock = clock
        self._on_mended = on_mended
        self._warned = False

    def look(self) -> None:
        """Judges the drift as it is now."""
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
    """UTC, in which `datetime.now(zone)` tells the instant of a clock of ours.

    arq's worker asks for the instant in its time zone, which is the one thing that it lets others decide.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Takes the clock, which tells aware instants in UTC."""
        self._clock = clock

    def fromutc(self, _: datetime, /) -> datetime:
        """The instant now, whatever the machine's clock says."""
        return self._clock()

    def utcoffset(self, _: datetime | None, /) -> timedelta:
        """None."""
        return timedelta(0)

    def dst(self, _: datetime | None, /) -> timedelta:
        """None."""
        return timedelta(0)

    def tzname(self, _: datetime | None, /) -> str:
        """As that of UTC."""
        return "UTC"
