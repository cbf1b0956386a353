"""The expiry date of goods that have none."""

from datetime import date
from typing import Final

NO_EXPIRY: Final = date(9999, 1, 1)
"""The date of a batch without an expiry date: such goods are on sale on any day, and the last to expire.

It is later than every date that is accepted. It is not `date.max`, which the driver writes as infinity. Such
goods are never discounted, see `domain.quote`.
"""

NO_DATE: Final = "no date"
"""The words for it in tables and messages."""


def expiry_or_none(day: date) -> date | None:
    """Returns an expiry date; None for goods without one."""
    return None if day == NO_EXPIRY else day


def expiry_words(day: date | None) -> str:
    """Returns an expiry date as people read it, with words for goods without one."""
    return NO_DATE if day in {None, NO_EXPIRY} else str(day)
