"""Dates of six digits (YYMMDD) and times of four (HHMM), by the GS1 General Specifications."""

from calendar import monthrange
from datetime import date, time
from typing import Final

_CENTURY: Final = 100
_PAST: Final = 49
"""A year of two digits is at most so many years in the past, and at most one more in the future."""


def gs1_date(digits: str, *, today: date, has_day: bool = False) -> date:
    """Reads YYMMDD; day 00 is the last day of the month.

    The year is the one from 49 years before today's to 50 years after it (section 7.12).

    Args:
        digits: six.
        today: the date of reading.
        has_day: whether day 00 is wrong, as in a date with a time.

    Raises:
        ValueError: there is no such month or day; the message completes a sentence about the digits.
    """
    year, month, day = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    year = _year(year, today.year)
    if not 1 <= month <= 12:
        raise ValueError(f"is not a date: there is no month {month:02}")
    if day > 31:
        raise ValueError(f"is not a date: there is no day {day:02}")
    last = monthrange(year, month)[1]
    if day > last or (has_day and not day):
        raise ValueError(f"is not a date: {year}-{month:02} has no day {day:02}")
    return date(year, month, day or last)


def gs1_time(digits: str) -> time:
    """Reads HHMM.

    Raises:
        ValueError: there is no such hour or minute; the message completes a sentence about the digits.
    """
    hour, minute = int(digits[:2]), int(digits[2:4])
    if hour > 23 or minute > 59:
        raise ValueError(f"is not a date with a time: there is no {hour:02}:{minute:02}")
    return time(hour, minute)


def _year(two_digits: int, this_year: int) -> int:
    earliest = this_year - _PAST
    return earliest + (two_digits - earliest) % _CENTURY
