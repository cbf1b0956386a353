"""A date format that is strict: it accepts only text that it would write itself."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Protocol

from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.errors import InvalidInput

_DIRECTIVE = re.compile(r"%.")
_DAY_OR_MONTH = frozenset({"%d", "%m"})
# Directives that write letters: like a separator, they delimit a number.
_LETTERS = frozenset({"%a", "%A", "%b", "%B", "%p"})
_GS1 = "%y%m%d"
_GS1_END_OF_MONTH = re.compile(r"[0-9]{4}00")
_TIME_OF_DAY = re.compile(
    r"(?P<day>.*\S)(?:[Tt]| +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
    r"(?: ?(?P<utc>Z|z|UTC|GMT)| ?(?P<sign>[+-])(?P<hours>[0-9]{2})(?::?(?P<minutes>[0-9]{2}))?)?"
)


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date as written, with the time of day and the UTC offset that follow it."""

    day: date
    time_of_day: time = time(0)
    offset: tzinfo | None = None

    @property
    def is_midnight(self) -> bool:
        """Whether the time of day is midnight or absent."""
        return self.time_of_day == time(0)

    def local_day(self, zone: tzinfo) -> date:
        """Returns the date in a time zone at this instant; a time without an offset is already local."""
        if self.offset is None:
            return self.day
        return datetime.combine(self.day, self.time_of_day, self.offset).astimezone(zone).date()


class DateFormat:
    """A `strptime` format that accepts only text that it would write itself."""

    def __init__(self, pattern: str, *, padded_only: bool) -> None:
        """Validates the format.

        Args:
            pattern: the format.
            padded_only: whether day and month must have two digits. Otherwise leading zeros may be missing
                where letters or separators delimit each number.

        Raises:
            InvalidInput: the format does not determine year, month and day.
        """
        self.pattern = pattern
        self._check()
        self._may_be_unpadded = not padded_only and _delimits_numbers(pattern)

    def read(self, text: str) -> WrittenDate | None:
        """Reads a text; returns None if it is not in this format."""
        if self.pattern == _GS1 and _GS1_END_OF_MONTH.fullmatch(text):
            # GS1 General Specifications, expiration date: day 00 is the last day of the month.
            first = self.read(f"{text[:4]}01")
            return first and WrittenDate(
                first.day.replace(day=monthrange(first.day.year, first.day.month)[1])
            )
        try:
            moment = datetime.strptime(text, self.pattern)  # noqa: DTZ007 - a date has no zone
            if not self._would_write(moment, text):
                return None
        except (ValueError, OverflowError):
            return None
        return WrittenDate(moment.date(), moment.time(), moment.tzinfo)

    def _would_write(self, moment: datetime, text: str) -> bool:
        # The C library writes the years before 1000 with fewer digits.
        pattern = self.pattern.replace("%Y", f"{moment.year:04d}")
        written = [moment.strftime(pattern)]
        if self._may_be_unpadded:
            unpadded = pattern.replace("%d", str(moment.day)).replace("%m", str(moment.month))
            written.append(moment.strftime(unpadded))
        return text.casefold() in map(str.casefold, written)

    def _check(self) -> None:
        # Dates that differ from the first in the day, the month or the year only.
        probes = (datetime(2024, 2, day, tzinfo=UTC) for day in (3, 4))
        others = (datetime(2024, 3, 3, tzinfo=UTC), datetime(2025, 2, 3, tzinfo=UTC))
        try:
            complete = all(
                datetime.strptime(day.strftime(self.pattern), self.pattern).date() == day.date()  # noqa: DTZ007
                for day in (*probes, *others)
            )
        except (ValueError, re.error):
            complete = False
        if not complete:
            raise InvalidInput(
                f"{shown(self.pattern)} is not a date format with year, month and day, such as %m/%d/%Y or "
                "%d.%m.%Y",
                field="date_format",
            )


class ReadsDates(Protocol):
    """A notation of dates."""

    def read(self, text: str) -> WrittenDate | None:
        """Reads a text; returns None if it is not in this notation."""


def read_written_date(text: str, date_format: ReadsDates) -> WrittenDate | None:
    """Reads a date in a format, with or without a time of day and a UTC offset after it."""
    written = date_format.read(text)
    if written is not None or ":" not in text:
        return written
    parts = _TIME_OF_DAY.fullmatch(text)
    written = date_format.read(parts["day"]) if parts else None
    if parts is None or written is None:
        return None
    try:
        return WrittenDate(written.day, _time_of_day(parts), _offset(parts))
    except ValueError:
        return None


def _time_of_day(parts: re.Match[str]) -> time:
    hour = int(parts["hour"])
    if half := parts["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("an hour with am or pm must be from 1 to 12")
        hour = hour % 12 + (12 if half in "pP" else 0)
    microsecond = int((parts["fraction"] or "0").ljust(6, "0")[:6])
    if microsecond == 0 and int(parts["fraction"] or 0):
        microsecond = 1  # less than a microsecond after midnight is after midnight
    return time(hour, int(parts["minute"]), int(parts["second"] or 0), microsecond)


def _offset(parts: re.Match[str]) -> tzinfo | None:
    if parts["utc"]:
        return UTC
    if not parts["sign"]:
        return None
    offset = timedelta(hours=int(parts["hours"]), minutes=int(parts["minutes"] or 0))
    return timezone(-offset if parts["sign"] == "-" else offset)


def _delimits_numbers(pattern: str) -> bool:
    for found in _DIRECTIVE.finditer(pattern):
        if found[0] not in _DAY_OR_MONTH:
            continue
        before, after = pattern[: found.start()], pattern[found.end() :]
        directive_before = before[-2:] if before[-2:-1] == "%" else ""
        if directive_before and directive_before not in _LETTERS:
            return False
        if after.startswith("%") and after[:2] not in _LETTERS:
            return False
        if before[-1:].isdigit() or after[:1].isdigit():
            return False
    return True
