"""Reads quantities. The unit of the product decides whether some of them are possible."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from flexiprice.catalog.imports.notation.cells import CellRefused, other_style, shown
from flexiprice.catalog.imports.notation.typed_cells import NumberText
from flexiprice.catalog.imports.notation.written_numbers import read_number
from flexiprice.domain.quantity import (
    MAX_QUANTITY,
    Unit,
    format_quantity,
    fraction_refusal,
    from_thousandths,
    to_thousandths,
)

_MINUS: Final = "-\N{MINUS SIGN}\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class QuantityCell:
    """A quantity as a file writes it.

    Attributes:
        quantity: zero or more.
        is_negative: whether the text was negative; the quantity is 0 then.
        needs_unit: the text, if only some units allow it: a fraction, or a comma that groups thousands and
            may be the decimal sign of a weight.
    """

    quantity: Decimal
    is_negative: bool = False
    needs_unit: str | None = None


def read_quantity(cell: str, *, decimal_comma: bool, currency: str = "") -> QuantityCell:
    """Reads a number with at most three decimals, such as `1,200`, `120.000` or `12.35`.

    A negative number, as ERP systems have where a sale was booked before its delivery, is 0.

    Args:
        cell: the text.
        decimal_comma: see `read_price`.
        currency: the installation's, for the grouping of thousands.

    Raises:
        CellRefused: it is not a number, has more than three decimals, or exceeds the maximum.
    """
    text = cell.strip()
    decimal_comma = decimal_comma and not isinstance(cell, NumberText)
    digits, is_negative = _without_minus(text)
    number = read_number(digits, decimal_comma=decimal_comma, currency=currency)
    other = read_number(digits, decimal_comma=not decimal_comma, currency=currency)
    if number is None:
        raise CellRefused(
            f"{shown(text)} is not a quantity", *other_style(other, decimal_comma=decimal_comma)
        )
    if number > MAX_QUANTITY:
        raise CellRefused(f"{shown(text)} is more than {MAX_QUANTITY}")
    try:
        quantity = from_thousandths(to_thousandths(number))
    except ValueError:
        raise CellRefused(
            f"{shown(text)} has more than three decimals", *other_style(other, decimal_comma=decimal_comma)
        ) from None
    if is_negative and quantity:
        return QuantityCell(Decimal(0), is_negative=True)
    is_fraction = quantity != quantity.to_integral_value()
    is_grouped = other is not None and other < number and not decimal_comma
    return QuantityCell(quantity, needs_unit=text if is_fraction or is_grouped else None)


def unit_refusal(text: str, unit: Unit, *, decimal_comma: bool) -> CellRefused:
    """Returns the reason why a text of `QuantityCell.needs_unit` is refused for products in a unit."""
    other = read_number(text, decimal_comma=not decimal_comma)
    number = read_number(text, decimal_comma=decimal_comma) or Decimal(0)
    hint = other_style(other, decimal_comma=decimal_comma)
    if unit is Unit.EACH:
        is_whole = other is not None and other == other.to_integral_value()
        return CellRefused(fraction_refusal(number), *(hint if is_whole else ()))
    return CellRefused(
        f"{shown(text)} may be {format_quantity(number, unit)} or {format_quantity(other or number, unit)}: "
        "write it without the comma",
        *hint,
    )


def _without_minus(text: str) -> tuple[str, bool]:
    """Removes a minus before the number, or behind it as SAP writes it."""
    if text[:1] and text[0] in _MINUS:
        return text[1:].lstrip(), True
    if text[-1:] and text[-1] in _MINUS:
        return text[:-1].rstrip(), True
    return text, False
