"""Reads the dates of other systems. The order of day and month is never guessed."""

import re
from collections.abc import Sequence
from datetime import UTC, date, tzinfo
from enum import StrEnum
from functools import lru_cache

from pydantic import TypeAdapter, ValidationError

from flexiprice.catalog.imports.notation.absent_dates import means_no_date, read_absent
from flexiprice.catalog.imports.notation.cells import CellRefused, shown
from flexiprice.catalog.imports.notation.date_formats import DateFormat, WrittenDate, read_written_date
from flexiprice.catalog.imports.notation.serial_dates import EXCEL, SerialDates, likely_serial
from flexiprice.catalog.imports.notation.typed_cells import DateText
from flexiprice.catalog.imports.notation.written_numbers import LONGEST_NUMBER
from flexiprice.catalog.imports.spelling import Option
from flexiprice.domain.catalog import CalendarDate
from flexiprice.domain.expiry import NO_EXPIRY
from flexiprice.domain.validation_reasons import reason_of
from flexiprice.errors import InvalidInput

# Year first, so that day and month cannot be confused.
DEFAULT_DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d")
MAX_DATE_FORMATS = 20
_GS1 = "%y%m%d"
_CALENDAR_DATE = TypeAdapter[date](CalendarDate)
_SIX_DIGITS = re.compile(r"[0-9]{6}")
_NUMBERS = re.compile(r"([0-9]{1,4})([./-])([0-9]{1,2})\2([0-9]{1,4})")


class Timestamps(StrEnum):
    """The treatment of a date with a time of day; midnight is always the date as written."""

    REFUSE = "refuse"
    """The row is bad."""
    WRITTEN = "written"
    """The date as written, without regard to time and offset."""
    LOCAL = "local"
    """The store's local date at that instant; without an offset the time is already local."""


class DateReader:
    """Reads dates in any of several formats."""

    def __init__(
        self, formats: Sequence[str] = DEFAULT_DATE_FORMATS, timestamps: Timestamps = Timestamps.REFUSE
    ) -> None:
        """Takes `strptime` formats such as `%m/%d/%Y` or `excel`, and the treatment of times of day.

        Raises:
            InvalidInput: a format does not determine year, month and day.
        """
        if not 1 <= len(formats) <= MAX_DATE_FORMATS:
            raise InvalidInput(f"give between 1 and {MAX_DATE_FORMATS} date formats", field="date_format")
        self._patterns = tuple(formats)
        self._is_default = self._patterns == DEFAULT_DATE_FORMATS
        self._formats = tuple(
            SerialDates() if pattern == EXCEL else DateFormat(pattern, padded_only=self._is_default)
            for pattern in formats
        )
        self._timestamps = timestamps
        self._expected = (
            "that begins with the year, such as 2024-09-19"
            if self._is_default
            else f"written as {' or '.join(map(_described, self._patterns))}"
        )
        # Dates repeat, and parsing them is the slowest part of a row.
        self._written_in = lru_cache(maxsize=4096)(self._read_all)

    def read(self, cell: str, zone: tzinfo = UTC) -> date:
        """Reads a date, for a store in a time zone.

        Raises:
            CellRefused: no format fits, two formats disagree, it has a time of day that may change the date,
                or it is out of range.
        """
        return self._day(self._written(cell), cell.strip(), zone)

    def read_expiry(self, cell: str, zone: tzinfo = UTC, *, keeps_undated: bool) -> date:
        """Reads an expiry date; `NO_EXPIRY` for goods without one, whose cell is empty or says so.

        Args:
            cell: the text of the cell.
            zone: the time zone of the store.
            keeps_undated: whether goods without a date are kept.

        Raises:
            CellRefused: as by `read`; or goods without a date are not kept.
        """
        text = cell.strip()
        if not text:
            return read_absent(keeps_undated=keeps_undated)
        written = self._written(cell)
        if means_no_date(written.day, text, keeps_undated=keeps_undated):
            return NO_EXPIRY
        return self._day(written, text, zone)

    def _written(self, cell: str) -> WrittenDate:
        text = cell.strip()
        if isinstance(cell, DateText):
            found: tuple[WrittenDate, ...] = (WrittenDate(cell.moment.date(), cell.moment.time()),)
        else:
            found = self._written_in(text) if len(text) <= LONGEST_NUMBER else ()
        if not found:
            raise CellRefused(f"{shown(text)} is not a date {self._expected}", *self._hint(text))
        written, *others = found
        if others:
            # Taking the first would guess the order of day and month.
            days = " or ".join(str(each.day) for each in found)
            raise CellRefused(f"{shown(text)} may be {days}: the formats disagree")
        return written

    def _day(self, written: WrittenDate, text: str, zone: tzinfo) -> date:
        try:
            day = _CALENDAR_DATE.validate_python(written.day)
        except ValidationError as error:
            raise CellRefused(f"{shown(text)} {reason_of(error.errors(include_url=False)[0])}") from None
        return day if written.is_midnight else self._day_at(written, text, zone)

    def _day_at(self, written: WrittenDate, text: str, zone: tzinfo) -> date:
        match self._timestamps:
            case Timestamps.WRITTEN:
                return written.day
            case Timestamps.LOCAL:
                return written.local_day(zone)
            case Timestamps.REFUSE:
                raise CellRefused(
                    f"{shown(text)} has a time of day: ",
                    Option("timestamps", "local"),
                    " takes the date in the store's time zone, ",
                    Option("timestamps", "written"),
                    " the date as it stands",
                )

    def _read_all(self, text: str) -> tuple[WrittenDate, ...]:
        found: dict[date, WrittenDate] = {}
        for each in self._formats:
            written = read_written_date(text, each)
            if written is not None:
                found.setdefault(written.day, written)
        return tuple(found.values())

    def _hint(self, text: str) -> tuple[str | Option, ...]:
        """Returns the option that would read a refused date, as the end of the sentence."""
        if _SIX_DIGITS.fullmatch(text) and _GS1 not in self._patterns:
            return "; six digits are read as year, month and day (GS1) with ", Option("date_format", _GS1)
        if EXCEL not in self._patterns and (day := likely_serial(text)) is not None:
            return f"; a spreadsheet's day number for {day} is read with ", Option("date_format", EXCEL)
        numbers = _NUMBERS.fullmatch(text)
        if numbers is None or not self._is_default:
            return ()
        first, separator, second, last = numbers.groups()
        if len(first) == len("2024"):
            candidates = ["%Y-%m-%d".replace("-", separator)]
        else:
            year = "%Y" if len(last) == len("2024") else "%y"
            candidates = [
                separator.join((*day_and_month, year)) for day_and_month in (("%d", "%m"), ("%m", "%d"))
            ]
        readers = (DateFormat(pattern, padded_only=False) for pattern in candidates)
        fitting = [each.pattern for each in readers if each.read(text) is not None]
        if not fitting or not second:
            return ()
        others = "".join(f" or {pattern}" for pattern in fitting[1:])
        return "; ", Option("date_format", fitting[0]), f"{others} reads it"


def _described(pattern: str) -> str:
    return "a spreadsheet's day number" if pattern == EXCEL else pattern
