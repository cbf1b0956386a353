"""What the text of one cell means. Nothing is guessed: what has no one reading is refused.

What a field may hold is said in `domain.catalogue`; here is only how other systems write it.
"""

import re
import unicodedata
from decimal import Decimal
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from flexiprice.domain.catalogue import MAX_QUANTITY, BasePrice, CategoryName, Lot, ProductName, Sku, UnitCost

T = TypeVar("T")

_SKU = TypeAdapter[str](Sku)
_NAME = TypeAdapter[str](ProductName)
_CATEGORY = TypeAdapter[str](CategoryName)
_LOT = TypeAdapter[str](Lot)
_BASE_PRICE = TypeAdapter[Decimal](BasePrice)
_UNIT_COST = TypeAdapter[Decimal](UnitCost)

LONGEST_NUMBER = 40
_LONGEST_SHOWN = 40

_UNDECODABLE = re.compile("[\ud800-\udfff]")
_AMOUNT = re.compile(
    r"(?P<before>[^\d\s.,'+-]{0,4})\s*(?P<number>[0-9](?:.*[0-9])?)\s*(?P<after>[^\d\s.,'+-]{0,4})"
)
_GROUPED_BY_SPACE = r"[0-9]{1,3}(?:[ '\u2019\u00a0\u202f][0-9]{3})+"
_WITH_POINT = re.compile(rf"(?:[0-9]+|[0-9]{{1,3}}(?:,[0-9]{{3}})+|{_GROUPED_BY_SPACE})(?:\.[0-9]+)?")
_WITH_COMMA = re.compile(rf"(?:[0-9]+|[0-9]{{1,3}}(?:\.[0-9]{{3}})+|{_GROUPED_BY_SPACE})(?:,[0-9]+)?")
_GROUPING = str.maketrans("", "", " '\u2019\u00a0\u202f")


class CellRefused(ValueError):
    """The cell cannot be used; the message says why, as the end of a sentence about the column."""


def shown(text: str) -> str:
    """A cell as it may be shown anywhere: quoted, short, and with nothing in it that a terminal obeys."""
    quoted = repr(text[:_LONGEST_SHOWN])
    return f"{quoted[:-1]}…{quoted[-1]}" if len(text) > _LONGEST_SHOWN else quoted


def read_sku(cell: str) -> str:
    """A SKU, exactly as it stands but for the space around it."""
    return _checked(_SKU, cell, cell)


def read_name(cell: str) -> str:
    """A product's name; line breaks and runs of spaces become one space. A formula stays plain text."""
    return _checked(_NAME, cell, " ".join(cell.split()))


def read_category(cell: str) -> str:
    """A category's name."""
    return _checked(_CATEGORY, cell, cell)


def read_lot(cell: str) -> str:
    """A lot's code, which may be empty."""
    return _checked(_LOT, cell, cell)


def read_price(cell: str, *, decimal_comma: bool) -> Decimal:
    """A base price such as `$4.50`, `1,234.5` or `EUR 12`; which currency is not looked at.

    Args:
        cell: the text.
        decimal_comma: the comma is the decimal sign and the point groups thousands.

    Raises:
        CellRefused: it is not an amount, has more than two decimals, or is out of bounds.
    """
    return _checked(_BASE_PRICE, cell, _read_amount(cell, decimal_comma=decimal_comma))


def read_cost(cell: str, *, decimal_comma: bool) -> Decimal:
    """A unit cost, written as a price is; it may be zero."""
    return _checked(_UNIT_COST, cell, _read_amount(cell, decimal_comma=decimal_comma))


def read_quantity(cell: str, *, decimal_comma: bool) -> int:
    """A whole number of pieces, zero or more; `1,200` and `22.0` are whole numbers.

    Raises:
        CellRefused: it is not one, or too large to be kept.
    """
    text = cell.strip()
    number = _read_number(text, decimal_comma=decimal_comma) if len(text) <= LONGEST_NUMBER else None
    if number is None or number != number.to_integral_value():
        raise CellRefused(f"{shown(text)} is not a whole number, zero or more")
    if number > MAX_QUANTITY:
        raise CellRefused(f"{shown(text)} is more than {MAX_QUANTITY}")
    return int(number)


def _read_amount(cell: str, *, decimal_comma: bool) -> Decimal:
    text = cell.strip()
    match = _AMOUNT.fullmatch(text) if len(text) <= LONGEST_NUMBER else None
    if match is None or not _is_currency(match["before"], match["after"]):
        raise CellRefused(f"{shown(text)} is not a price")
    amount = _read_number(match["number"], decimal_comma=decimal_comma)
    if amount is None:
        style = "a decimal comma" if decimal_comma else "a decimal point"
        raise CellRefused(f"{shown(text)} is not a price with {style}")
    return amount


def _read_number(text: str, *, decimal_comma: bool) -> Decimal | None:
    if not (_WITH_COMMA if decimal_comma else _WITH_POINT).fullmatch(text):
        return None
    plain = text.translate(_GROUPING)
    if decimal_comma:
        return Decimal(plain.replace(".", "").replace(",", "."))
    return Decimal(plain.replace(",", ""))


def _is_currency(before: str, after: str) -> bool:
    if before and after:
        return False
    sign = before or after
    is_code = len(sign) == len("EUR") and sign.isascii() and sign.isupper()
    return not sign or is_code or any(unicodedata.category(letter) == "Sc" for letter in sign)


def _checked(adapter: TypeAdapter[T], cell: str, value: object) -> T:
    if _UNDECODABLE.search(cell):
        raise CellRefused(f"{shown(cell)} is not text in the file's encoding")
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise CellRefused(f"{shown(cell.strip())} {error.errors(include_url=False)[0]['msg']}") from None
