"""Reads quantities and codes of events. A cell that is ambiguous is refused, never guessed."""

from decimal import Decimal
from typing import Final

from pydantic import TypeAdapter, ValidationError

from flexiprice.catalog.imports.notation.cells import CellRefused, shown
from flexiprice.catalog.imports.notation.typed_cells import NumberText
from flexiprice.catalog.imports.notation.written_numbers import read_number
from flexiprice.domain.catalog import Sku
from flexiprice.domain.quantity import MAX_QUANTITY, to_thousandths
from flexiprice.domain.validation_reasons import reason_of

# A code of the same letters as a SKU, but longer.
_CODE: Final = TypeAdapter[str](Sku)
_CODE_PART: Final = 64


def read_thousandths(cell: str, *, decimal_comma: bool) -> int:
    """Reads a number with up to three decimals, such as `-2` or `0.250`, as thousandths.

    Raises:
        CellRefused: it is not such a number, or it is out of range.
    """
    text = cell.strip()
    number = _signed(text, decimal_comma=decimal_comma and not isinstance(cell, NumberText))
    if number is None:
        raise CellRefused(f"{shown(text)} is not a number such as 3 or 0.250")
    try:
        thousandths = to_thousandths(number)
    except ValueError:
        raise CellRefused(f"{shown(text)} has more than three decimals") from None
    if abs(number) > MAX_QUANTITY:
        raise CellRefused(f"{shown(text)} is more than {MAX_QUANTITY}")
    return thousandths


def _signed(text: str, *, decimal_comma: bool) -> Decimal | None:
    unsigned = text.removeprefix("-")
    number = read_number(unsigned, decimal_comma=decimal_comma)
    return None if number is None else -number if unsigned != text else number


def read_code(cell: str, longest: int) -> str:
    """Reads a code of up to `longest` characters; hidden and look-alike characters are refused.

    Raises:
        CellRefused: it is empty, too long, or has such a character.
    """
    code = cell.strip()
    if not 1 <= len(code) <= longest:
        raise CellRefused(f"{shown(code)} must have 1 to {longest} characters")
    for start in range(0, len(code), _CODE_PART):
        part = code[start : start + _CODE_PART].strip()
        try:
            _CODE.validate_python(part or "-")
        except ValidationError as error:
            raise CellRefused(f"{shown(code)} {reason_of(error.errors(include_url=False)[0])}") from None
    return code
