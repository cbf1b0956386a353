"""Debian's cron(8), minute by minute: an independent oracle of when crontab lines run.

It follows the main loop of cron 3.0 as Debian ships it. The clock on the wall is read once a minute. A
jump of it by less than three hours counts as a change between summer and winter time: lines of which
neither minute nor hour begins with a star ("fixed") then run once for every minute of the wall clock,
those that were skipped at once and those that come a second time not again; lines with a star there
follow the clock as it goes. Nothing here is shared with the code under test but the time zone's rules.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_EPOCH = date(1970, 1, 1).toordinal()
_A_MINUTE = timedelta(minutes=1)
_THREE_HOURS = 3 * 60


@dataclass(frozen=True)
class Entry:
    """A line of a crontab as cron keeps it: sets of values, and where it began with a star."""

    line: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    wild: bool
    day_star: bool

    def matches(self, wall: int) -> bool:
        """Whether the line is due in a minute of the wall clock."""
        days, minute_of_day = divmod(wall, 24 * 60)
        hour, minute = divmod(minute_of_day, 60)
        day = date.fromordinal(_EPOCH + days)
        if minute not in self.minutes or hour not in self.hours or day.month not in self.months:
            return False
        of_month = day.day in self.days
        of_week = day.isoweekday() % 7 in self.weekdays
        return (of_month and of_week) if self.day_star else (of_month or of_week)


def read(line: str) -> Entry:
    """Reads a line."""
    minute, hour, day, month, weekday = line.split()
    return Entry(
        line=line,
        minutes=_values(minute, 0, 59),
        hours=_values(hour, 0, 23),
        days=_values(day, 1, 31),
        months=_values(month, 1, 12),
        weekdays=frozenset(value % 7 for value in _values(weekday, 0, 7)),
        wild=minute.startswith("*") or hour.startswith("*"),
        day_star=day.startswith("*") or weekday.startswith("*"),
    )


def simulate(lines: Sequence[str], zone: str, start: datetime, end: datetime) -> dict[str, list[datetime]]:
    """When each line runs from `start` to before `end`, in UTC, by a cron that was started before."""
    entries = [read(line) for line in lines]
    by_minute = [[entry for entry in entries if minute in entry.minutes] for minute in range(60)]
    runs: dict[str, list[datetime]] = {line: [] for line in lines}
    time_zone = ZoneInfo(zone)
    now = start - _A_MINUTE
    virtual = _on_the_wall(now, time_zone)
    while (now := now + _A_MINUTE) < end:
        wall = _on_the_wall(now, time_zone)
        for minute, wild, fixed in _minutes_to_run(virtual, wall):
            for entry in by_minute[minute % 60]:
                if (wild if entry.wild else fixed) and entry.matches(minute):
                    runs[entry.line].append(now)
        virtual = wall if not -_THREE_HOURS < wall - virtual <= 0 else virtual
    return runs


def _minutes_to_run(virtual: int, wall: int) -> Iterable[tuple[int, bool, bool]]:
    """The minutes to run the lines of when the clock shows `wall` and it was last run for `virtual`.

    Each with whether lines with a star run, and whether fixed ones do.
    """
    jump = wall - virtual
    if -_THREE_HOURS < jump <= 0:
        # The fixed lines of this minute have run; virtual time waits to be caught up with.
        return [(wall, True, False)]
    if 0 < jump <= 5:
        return [(minute, True, True) for minute in range(virtual + 1, wall + 1)]
    if 5 < jump <= _THREE_HOURS:
        return [(wall, True, False), *((minute, False, True) for minute in range(virtual + 1, wall + 1))]
    return [(wall, True, True)]


def _on_the_wall(now: datetime, zone: ZoneInfo) -> int:
    """Minutes that the clock on the wall shows, counted from 1970."""
    wall = now.astimezone(zone)
    return (wall.toordinal() - _EPOCH) * 24 * 60 + wall.hour * 60 + wall.minute


def _values(field: str, first: int, last: int) -> frozenset[int]:
    values: set[int] = set()
    for part in field.split(","):
        numbers, _, step = part.partition("/")
        low, _, high = numbers.partition("-")
        if low == "*":
            low, high = str(first), str(last)
        values.update(range(_number(low), _number(high or low) + 1, int(step or 1)))
    return frozenset(values)


def _number(text: str) -> int:
    return _DAYS.index(text.upper()) if text.upper() in _DAYS else int(text)
