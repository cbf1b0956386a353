"""Reads the day numbers by which spreadsheets store dates: day 1 is 1 January 1900."""

import re
from datetime import date, datetime, time, timedelta
from fractions import Fraction

from flexiprice.catalog.imports.notation.date_formats import WrittenDate

EXCEL = "excel"
"""The name of this notation among date formats."""

# Excel counts 29 February 1900, which never was: from 1 March on, day 0 is this one.
_DAY_ZERO = date(1899, 12, 30)
_FIRST = (date(1900, 3, 1) - _DAY_ZERO).days
_LAST = (date.max - _DAY_ZERO).days
_NUMBER = re.compile(r"(?P<day>[1-9][0-9]{1,6})(?:\.(?P<fraction>[0-9]{1,15}))?")
_USUAL = re.compile(r"[2-9][0-9]{4}(?:\.[0-9]+)?")
_SECONDS = 86_400


class SerialDates:
    """Day numbers of the 1900 date system, such as 46353; a fraction is the time of day."""

    pattern = EXCEL

    def read(self, text: str) -> WrittenDate | None:
        """Reads a day number; returns None if the text is none, or is before 1 March 1900."""
        number = _NUMBER.fullmatch(text)
        if number is None or not _FIRST <= int(number["day"]) <= _LAST:
            return None
        part_of_day = Fraction(int(number["fraction"] or 0), 10 ** len(number["fraction"] or ""))
        moment = datetime.combine(_DAY_ZERO, time(0)) + timedelta(int(number["day"]))
        try:
            moment += timedelta(seconds=round(part_of_day * _SECONDS))
        except OverflowError:
            return None
        return WrittenDate(moment.date(), moment.time())


def likely_serial(text: str) -> date | None:
    """Returns the date of a text that is probably a day number, of a year from 1954 on."""
    written = SerialDates().read(text) if _USUAL.fullmatch(text) else None
    return None if written is None else written.day
