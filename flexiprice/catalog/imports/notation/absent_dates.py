"""Tells dates from those that other systems write for goods without an expiry date."""

from datetime import date
from enum import StrEnum
from typing import Final

from flexiprice.catalog.imports.notation.cells import CellRefused, shown
from flexiprice.catalog.imports.spelling import Option
from flexiprice.domain.expiry import NO_EXPIRY

_MEAN_NO_DATE: Final = frozenset(date(year, 12, 31) for year in (2099, 2999, 9999))
_FIRST_DOUBTFUL: Final = date(2099, 1, 1)
_KEEP: Final = Option("no_expiry", "keep")


class NoExpiry(StrEnum):
    """The treatment of rows without an expiry date."""

    REFUSE = "refuse"
    """The row is bad."""
    KEEP = "keep"
    """The stock is kept, and never discounted."""


def read_absent(*, keeps_undated: bool) -> date:
    """Returns the date of goods whose cell is empty.

    Raises:
        CellRefused: such rows are bad.
    """
    if not keeps_undated:
        raise CellRefused("is empty, and it is required; ", _KEEP, " keeps goods without a date")
    return NO_EXPIRY


def means_no_date(day: date, text: str, *, keeps_undated: bool) -> bool:
    """Whether other systems write a date for goods without one.

    Args:
        day: the date.
        text: of its cell.
        keeps_undated: whether such goods are kept.

    Raises:
        CellRefused: it means no date and such rows are bad, or it is so late that it may mean none.
    """
    if day in _MEAN_NO_DATE and not keeps_undated:
        raise CellRefused(f"{shown(text)} means no date; ", _KEEP, " keeps such goods")
    if day >= _FIRST_DOUBTFUL and day not in _MEAN_NO_DATE:
        raise CellRefused(
            f"{shown(text)} may mean no date: leave it empty for goods without one, with ", _KEEP
        )
    return day in _MEAN_NO_DATE
