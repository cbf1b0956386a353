"""The clock of Redis, by which schedules tick and jobs are due, as a process knows it between two answers."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, cast

from redis.asyncio import Redis

DRIFT_WARNING: Final = timedelta(seconds=2)
"""A worker's clock that is further from that of Redis is worth a warning."""
DRIFT_LIMIT: Final = timedelta(minutes=1)
"""A worker whose clock is further from that of Redis schedules nothing until one of the two is set."""
# Half the time that an answer took, in seconds: a better measurement than this replaces what is known.
_PRECISE: Final = 0.1


class ServerClock:
    """Tells the time of Redis: its latest answer, carried on by this process's monotonic clock.

    Until Redis has answered once, it tells the time of this machine.
    """

    def __init__(self, *, on_set_back: Callable[[], None] | None = None) -> None:
        """Prepares it.

        Args:
            on_set_back: is called when the clock of Redis was set back by more than `DRIFT_WARNING`.
        """
        self._on_set_back = on_set_back
        self._offset: float | None = None
        self._uncertainty = 0.0

    def __call__(self) -> datetime:
        """The instant now, in UTC."""
        seconds = time.time() if self._offset is None else self._offset + time.monotonic()
        return datetime.fromtimestamp(seconds, tz=UTC)

    def observe(self, server_seconds: float, *, asked: float, answered: float) -> None:
        """Takes the time that Redis told.

        Args:
            server_seconds: what it told, in seconds since 1970.
            asked: when it was asked, by `time.monotonic`.
            answered: when the answer came, by `time.monotonic`.
        """
        before, offset = self._offset, server_seconds - (asked + answered) / 2
        uncertainty = (answered - asked) / 2
        if before is not None and uncertainty > _PRECISE and abs(offset - before) <= uncertainty:
            # Nothing new: an answer that took long says less than what is known.
            return
        self._offset, self._uncertainty = offset, uncertainty
        set_back = before is not None and before - offset - uncertainty > DRIFT_WARNING.total_seconds()
        if set_back and self._on_set_back is not None:
            self._on_set_back()

    @property
    def drift(self) -> timedelta:
        """How far this machine's clock is ahead of that of Redis, at least; negative where it is behind."""
        if self._offset is None:
            return timedelta(0)
        apart = time.time() - (self._offset + time.monotonic())
        certain = max(0.0, abs(apart) - self._uncertainty)
        return timedelta(seconds=round(certain if apart > 0 else -certain, 3))


async def synchronize(redis: Redis, clock: ServerClock) -> None:
    """Asks Redis for the time.

    Raises:
        redis.RedisError: as redis-py has it.
    """
    asked = time.monotonic()
    seconds = await _server_seconds(redis)
    clock.observe(seconds, asked=asked, answered=time.monotonic())


async def redis_now(redis: Redis) -> datetime:
    """The instant by the clock of Redis, in UTC: one round trip.

    Raises:
        redis.RedisError: as redis-py has it.
    """
    return datetime.fromtimestamp(await _server_seconds(redis), tz=UTC)


async def _server_seconds(redis: Redis) -> float:
    seconds, micros = cast("tuple[int, int]", await redis.time())
    return seconds + micros / 1e6


def drift_in_words(drift: timedelta) -> str:
    """A drift for a person: `3.0 s ahead of`, `2 h behind`."""
    seconds = abs(drift.total_seconds())
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} {'ahead of' if drift > timedelta(0) else 'behind'}"
    return f"{seconds:.1f} s {'ahead of' if drift > timedelta(0) else 'behind'}"
