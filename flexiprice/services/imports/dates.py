"""Dates as other systems write them, day and month never guessed."""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, datetime
from functools import lru_cache

from pydantic import TypeAdapter, ValidationError

from flexiprice.domain.catalogue import CalendarDate
from flexiprice.errors import InvalidInput
from flexiprice.services.imports.cells import LONGEST_NUMBER, CellRefused, shown

# Year first, so that day and month cannot be mistaken for each other. The time of a midnight
# timestamp, which databases export for a date, carries nothing.
DEFAULT_DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%Y%m%d",
    "%Y-%m-%d 00:00:00",
    "%Y-%m-%dT00:00:00",
)
MAX_DATE_FORMATS = 20
_CALENDAR_DATE = TypeAdapter[date](CalendarDate)


class DateReader:
    """Reads dates that are written in one of several ways."""

    def __init__(self, formats: Sequence[str] = DEFAULT_DATE_FORMATS) -> None:
        """Takes `strptime` formats such as `%m/%d/%Y`.

        Raises:
            InvalidInput: a format does not give year, month and day.
        """
        if not 1 <= len(formats) <= MAX_DATE_FORMATS:
            raise InvalidInput(f"give between 1 and {MAX_DATE_FORMATS} date formats", field="date_format")
        for pattern in formats:
            _check_format(pattern)
        self._formats = tuple(formats)
        self._expected = (
            "that begins with the year, such as 2024-09-19"
            if self._formats == DEFAULT_DATE_FORMATS
            else f"written as {' or '.join(self._formats)}"
        )
        # The same few dates come again and again, and `strptime` is the slowest part of a row.
        self._dates_of = lru_cache(maxsize=4096)(self._read_all)

    def read(self, cell: str) -> date:
        """The date that a cell means.

        Raises:
            CellRefused: no format fits, two formats disagree about it, or no calendar of ours has it.
        """
        text = cell.strip()
        dates = self._dates_of(text) if len(text) <= LONGEST_NUMBER else []
        if not dates:
            raise CellRefused(f"{shown(text)} is not a date {self._expected}")
        if len(dates) > 1:
            # To believe the first would be to guess which of day and month comes first.
            raise CellRefused(f"{shown(text)} may be {' or '.join(map(str, dates))}: the formats disagree")
        try:
            return _CALENDAR_DATE.validate_python(dates[0])
        except ValidationError as error:
            raise CellRefused(f"{shown(text)} {error.errors(include_url=False)[0]['msg']}") from None

    def _read_all(self, text: str) -> list[date]:
        found: dict[date, None] = {}
        for pattern in self._formats:
            with suppress(ValueError):
                found[_parse(text, pattern)] = None
        return list(found)


def _check_format(pattern: str) -> None:
    # Days that differ from the first by nothing but the day, the month or the year.
    probes = (date(2024, 2, 3), date(2024, 2, 4), date(2024, 3, 3), date(2025, 2, 3))
    try:
        complete = all(_parse(day.strftime(pattern), pattern) == day for day in probes)
    except (ValueError, re.error):
        complete = False
    if not complete:
        raise InvalidInput(
            f"{shown(pattern)} is not a date format with year, month and day, such as %m/%d/%Y or %d.%m.%Y",
            field="date_format",
        )


def _parse(text: str, pattern: str) -> date:
    return datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a date has no zone
