"""The clock of Redis, by which schedules tick and jobs are due, extrapolated between two replies."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from redis.asyncio import Redis

DRIFT_WARNING: Final = timedelta(seconds=2)
"""Drift of a worker's clock from that of Redis above which the worker warns."""
DRIFT_LIMIT: Final = timedelta(minutes=1)
"""Drift above which a worker schedules nothing."""
# Half of a round trip, in seconds. More precise measurements always replace the known offset.
_PRECISE: Final = 0.1


class ServerClock:
    """Returns the time of Redis: its latest reply, extrapolated by this process's monotonic clock.

    Before the first reply it returns the time of this machine.
    """

    def __init__(self, *, on_set_back: Callable[[], None] | None = None) -> None:
        """Starts without a known offset.

        Args:
            on_set_back: called when the clock of Redis was set back by more than `DRIFT_WARNING`.
        """
        self._on_set_back = on_set_back
        self._offset: float | None = None
        self._uncertainty = 0.0

    def __call__(self) -> datetime:
        """Returns the current time in UTC."""
        seconds = time.time() if self._offset is None else self._offset + time.monotonic()
        return datetime.fromtimestamp(seconds, tz=UTC)

    def observe(self, server_seconds: float, *, asked: float, answered: float) -> None:
        """Updates the offset from a time of Redis.

        Args:
            server_seconds: the time of Redis, in seconds since 1970.
            asked: time of the request, by `time.monotonic`.
            answered: time of the reply, by `time.monotonic`.
        """
        before, offset = self._offset, server_seconds - (asked + answered) / 2
        uncertainty = (answered - asked) / 2
        if before is not None and uncertainty > _PRECISE and abs(offset - before) <= uncertainty:
            # A slow reply is less precise than the known offset.
            return
        self._offset, self._uncertainty = offset, uncertainty
        set_back = before is not None and before - offset - uncertainty > DRIFT_WARNING.total_seconds()
        if set_back and self._on_set_back is not None:
            self._on_set_back()

    @property
    def drift(self) -> timedelta:
        """Minimum by which this machine's clock is ahead of that of Redis; negative if behind."""
        if self._offset is None:
            return timedelta(0)
        apart = time.time() - (self._offset + time.monotonic())
        certain = max(0.0, abs(apart) - self._uncertainty)
        return timedelta(seconds=round(certain if apart > 0 else -certain, 3))


async def synchronize(redis: Redis, clock: ServerClock) -> None:
    """Reads the time of Redis into the clock.

    Raises:
        redis.RedisError: the call to Redis failed.
    """
    requested_at = time.monotonic()
    seconds = await _server_seconds(redis)
    clock.observe(seconds, asked=requested_at, answered=time.monotonic())


async def redis_now(redis: Redis) -> datetime:
    """Returns the time of Redis in UTC; one round trip.

    Raises:
        redis.RedisError: the call to Redis failed.
    """
    return datetime.fromtimestamp(await _server_seconds(redis), tz=UTC)


async def _server_seconds(redis: Redis) -> float:
    seconds, micros = cast("tuple[int, int]", await redis.time())
    return seconds + micros / 1e6


def drift_in_words(drift: timedelta) -> str:
    """Formats a drift: `3.0 s ahead of`, `2 h behind`."""
    seconds = abs(drift.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} {'ahead of' if drift > timedelta(0) else 'behind'}"
    return f"{seconds:.1f} s {'ahead of' if drift > timedelta(0) else 'behind'}"
