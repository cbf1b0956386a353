"""Parses cells. A cell that is ambiguous is refused, never guessed.

`domain.catalog` validates the values; this module knows only the notations of other systems.
"""

import re
import unicodedata
from decimal import Decimal
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from flexiprice.catalog.imports.notation.currencies import currencies_of
from flexiprice.catalog.imports.notation.local_words import DIRECTION_MARKS, local_words, normal_sign
from flexiprice.catalog.imports.notation.typed_cells import NumberText
from flexiprice.catalog.imports.notation.written_numbers import LONGEST_NUMBER, read_number
from flexiprice.catalog.imports.spelling import Option, Spelling
from flexiprice.domain.catalog import (
    BasePrice,
    CategoryName,
    Gtin,
    Lot,
    ProductName,
    Sku,
    UnitCost,
)
from flexiprice.domain.validation_reasons import reason_of

T = TypeVar("T")

_SKU = TypeAdapter[str](Sku)
_NAME = TypeAdapter[str](ProductName)
_CATEGORY = TypeAdapter[str](CategoryName)
_LOT = TypeAdapter[str](Lot)
_GTIN = TypeAdapter[str](Gtin)
_BASE_PRICE = TypeAdapter[Decimal](BasePrice)
_UNIT_COST = TypeAdapter[Decimal](UnitCost)

LOST_LETTER = "\ufffd"
_LONGEST_SHOWN = 40
_SPACES = " \u00a0\u2007\u202f\u3000"

_BETWEEN_GTINS = re.compile(r"[\s|;,]+")
_UNDECODABLE = re.compile("[\ud800-\udfff]")
_CURRENCY_WORD = r"[^\W\d_]{1,12}\.?"
# Such as `د.إ` and `S/.`; after a sign, a point would be the decimal point of `$.99`.
_ABBREVIATION = r"[^\W\d_]{1,3}(?:\.[^\W\d_]{1,3})+\.?|[^\W\d_]{1,3}/\."
_CURRENCY_SIGN = r"[^\W\d_]{0,3}[^\w\s.,'+-]{1,3}"
_CURRENCY = rf"{_ABBREVIATION}|{_CURRENCY_SIGN}|{_CURRENCY_WORD}"
# A point right after letters ends an abbreviation (`Rs.120`); it is not a decimal point.
_AMOUNT = re.compile(
    rf"(?P<before>{_CURRENCY})?\s*(?P<number>[.,]?[0-9](?:.*[0-9])?)\s*(?P<after>{_CURRENCY})?"
)
_PLAIN_AMOUNT = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,2})?")


class CellRefused(ValueError):
    """The cell cannot be used; `reason` completes a sentence about the column."""

    def __init__(self, *parts: str | Option) -> None:
        """Takes the parts of the reason: text and options."""
        super().__init__(Spelling.COMMAND.write(*parts))
        self._parts = parts

    def reason(self, spelling: Spelling) -> str:
        """Returns the reason with its options in a spelling."""
        return spelling.write(*self._parts)


def printable(text: str) -> str:
    """Replaces undecodable bytes by the replacement character."""
    return _UNDECODABLE.sub(LOST_LETTER, text)


def shown(text: str) -> str:
    """Returns a cell for display: quoted, truncated, and without control characters."""
    quoted = repr(printable(text[:_LONGEST_SHOWN]))
    return f"{quoted[:-1]}…{quoted[-1]}" if len(text) > _LONGEST_SHOWN else quoted


def read_sku(cell: str) -> str:
    """Reads a SKU; only surrounding spaces are removed."""
    return _checked(_SKU, cell, cell.strip(_SPACES))


def read_name(cell: str) -> str:
    """Reads a product's name; line breaks and runs of spaces become one space. A formula stays plain text."""
    return _checked(_NAME, cell, " ".join(cell.split()))


def read_category(cell: str) -> str:
    """Reads a category's name; line breaks and runs of spaces become one space."""
    return _checked(_CATEGORY, cell, " ".join(cell.split()))


def read_lot(cell: str) -> str:
    """Reads a lot's code, which may be empty."""
    return _checked(_LOT, cell, cell.strip(_SPACES))


def read_gtins(cell: str) -> tuple[str, ...]:
    """Reads GTINs, several between `|`, `;`, commas or spaces; each has 14 digits then.

    Raises:
        CellRefused: one has a wrong length or check digit.
    """
    given = [part for part in _BETWEEN_GTINS.split(cell) if part]
    try:
        return tuple(dict.fromkeys(_checked(_GTIN, part, part) for part in given))
    except CellRefused as refused:
        raise CellRefused(str(refused), "; ", Option("map", "gtin="), " leaves the column out") from None


def read_price(cell: str, *, decimal_comma: bool, currency: str) -> Decimal:
    """Reads a base price such as `$4.50`, `1,234.5` or `EUR 12`.

    Args:
        cell: the text.
        decimal_comma: the comma is the decimal sign and the point groups thousands.
        currency: the installation's, ISO 4217; an amount in another currency is refused.

    Raises:
        CellRefused: it is not an amount in that currency, has more than two decimals, or is out of range.
    """
    return _checked(_BASE_PRICE, cell, _read_amount(cell, decimal_comma=decimal_comma, currency=currency))


def read_cost(cell: str, *, decimal_comma: bool, currency: str) -> Decimal:
    """Reads a unit cost, in the notation of a price; it may be zero."""
    return _checked(_UNIT_COST, cell, _read_amount(cell, decimal_comma=decimal_comma, currency=currency))


def _read_amount(cell: str, *, decimal_comma: bool, currency: str) -> Decimal:
    text = cell.strip()
    decimal_comma = decimal_comma and not isinstance(cell, NumberText)
    if not decimal_comma and _PLAIN_AMOUNT.fullmatch(text):
        return Decimal(text)
    match = (
        _AMOUNT.fullmatch(text.translate(DIRECTION_MARKS).strip()) if len(text) <= LONGEST_NUMBER else None
    )
    if match is None or (match["before"] and match["after"]):
        raise CellRefused(f"{shown(text)} is not a price")
    if sign := match["before"] or match["after"]:
        _check_currency(text, sign, currency)
    amount = read_number(match["number"], decimal_comma=decimal_comma, currency=currency)
    if amount is None:
        style = "a decimal comma" if decimal_comma else "a decimal point"
        other = read_number(match["number"], decimal_comma=not decimal_comma, currency=currency)
        hint = other_style(other, decimal_comma=decimal_comma)
        raise CellRefused(f"{shown(text)} is not a price with {style}", *hint)
    return amount


def _check_currency(text: str, sign: str, currency: str) -> None:
    candidates = currencies_of(sign)
    if currency in candidates or normal_sign(sign) in local_words(currency):
        return
    if candidates or any(unicodedata.category(letter) == "Sc" for letter in sign):
        names = " or ".join(sorted(candidates)) or shown(sign)
        raise CellRefused(
            f"{shown(text)} is a price in {names}, and this shop's prices are in {currency}: convert it, or "
            "set FLEXIPRICE_CURRENCY"
        )
    raise CellRefused(f"{shown(text)} is not a price")


def other_style(number: Decimal | None, *, decimal_comma: bool) -> tuple[str | Option, ...]:
    """Returns the hint that the other notation reads a number; nothing if that is None."""
    if number is None:
        return ()
    option = Option("decimal_comma")
    value = f"{number:.2f}" if number != number.to_integral_value() else f"{number:.0f}"
    if decimal_comma:
        return f"; where the point is the decimal sign, it is {value} without ", option
    return "; where the comma is the decimal sign, ", option, f" reads it as {value}"


def _checked(adapter: TypeAdapter[T], cell: str, value: object) -> T:
    if not cell.isascii() and _UNDECODABLE.search(cell):
        raise CellRefused(f"{shown(cell)} is not text in the file's encoding", *_other_encoding(cell))
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise CellRefused(f"{shown(cell.strip())} {reason_of(error.errors(include_url=False)[0])}") from None


def _other_encoding(cell: str) -> tuple[str | Option, ...]:
    # Excel's plain CSV is cp1252 in Western locales; the surrogates give back the original bytes.
    try:
        read = cell.encode("utf-8", "surrogateescape").decode("cp1252")
    except UnicodeError:
        return ()
    return "; ", Option("encoding", "cp1252"), f" reads it as {shown(read)}"
