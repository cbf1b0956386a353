"""Reads numbers as people write them: with a decimal point or comma, and with grouped thousands."""

import re
from decimal import Decimal

LONGEST_NUMBER = 40

# CLDR groups numbers as #,##,##0.### in languages of the countries of these currencies; in Pakistan, people
# do so too.
_LAKH_CURRENCIES = frozenset({"BDT", "BTN", "INR", "LKR", "MVR", "NPR", "PKR"})
_GROUPED_BY_SPACE = r"[0-9]{1,3}(?:[ '\u2019\u00a0\u202f][0-9]{3})+"
_WITH_POINT = re.compile(
    rf"(?:[0-9]+|[0-9]{{1,3}}(?:,[0-9]{{3}})+|{_GROUPED_BY_SPACE})(?:\.[0-9]+)?|\.[0-9]+"
)
_WITH_COMMA = re.compile(rf"(?:[0-9]+|[0-9]{{1,3}}(?:\.[0-9]{{3}})+|{_GROUPED_BY_SPACE})(?:,[0-9]+)?|,[0-9]+")
_WITH_LAKHS = re.compile(r"[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?")
_GROUPING = str.maketrans("", "", " '\u2019\u00a0\u202f")


def read_number(text: str, *, decimal_comma: bool, currency: str = "") -> Decimal | None:
    """Reads a number without a sign; returns None if the text is none.

    Args:
        text: the number; spaces around it are not allowed.
        decimal_comma: the comma is the decimal sign and the point groups thousands.
        currency: the installation's, ISO 4217; where South Asian, `12,34,567.50` is read too.
    """
    if len(text) > LONGEST_NUMBER:
        return None
    if decimal_comma:
        if not _WITH_COMMA.fullmatch(text):
            return None
        return Decimal(text.translate(_GROUPING).replace(".", "").replace(",", "."))
    if not _WITH_POINT.fullmatch(text) and not (currency in _LAKH_CURRENCIES and _WITH_LAKHS.fullmatch(text)):
        return None
    return Decimal(text.translate(_GROUPING).replace(",", ""))
