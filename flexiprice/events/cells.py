"""Reads instants, quantities and codes of events. A cell that is ambiguous is refused, never guessed."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from flexiprice.catalog.imports.notation.cells import CellRefused, shown
from flexiprice.catalog.imports.notation.typed_cells import DateText, NumberText
from flexiprice.catalog.imports.notation.written_numbers import read_number
from flexiprice.catalog.imports.spelling import Option
from flexiprice.domain.catalog import Sku
from flexiprice.domain.stock_event import THOUSANDTHS
from flexiprice.domain.validation_reasons import reason_of

_MAX_THOUSANDTHS: Final = 2_147_483_647 * THOUSANDTHS
# A code of the same letters as a SKU, but longer.
_CODE: Final = TypeAdapter[str](Sku)
_CODE_PART: Final = 64


def read_instant(
    cell: str, zone: ZoneInfo, *, local_times: bool, hint: tuple[str | Option, ...] = ()
) -> datetime:
    """Reads an instant of ISO 8601, in UTC.

    Args:
        cell: the text.
        zone: time zone of the store.
        local_times: whether a time without an offset is local to the store.
        hint: the end of the error for a time without an offset.

    Raises:
        CellRefused: it is none, or it may be two instants, or it has no offset and is not local.
    """
    text = cell.strip()
    try:
        instant = cell.moment if isinstance(cell, DateText) else datetime.fromisoformat(text)
    except ValueError:
        raise CellRefused(f"{shown(text)} is not an instant such as 2026-03-31T18:05:00+02:00") from None
    if instant.tzinfo is not None:
        return instant.astimezone(UTC)
    if len(text) <= len("2026-03-31"):
        raise CellRefused(f"{shown(text)} has no time of day: an event needs its instant")
    if not local_times:
        raise CellRefused(
            f"{shown(text)} has no offset from UTC: write it as {instant.isoformat()}+02:00", *hint
        )
    first, second = (instant.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second:
        raise CellRefused(
            f"{shown(text)} is twice or never on the clock of {zone.key}: add the offset from UTC"
        )
    return first


def read_thousandths(cell: str, *, decimal_comma: bool) -> int:
    """Reads a number with up to three decimals, such as `-2` or `0.250`, as thousandths.

    Raises:
        CellRefused: it is not such a number, or it is out of range.
    """
    text = cell.strip()
    number = _signed(text, decimal_comma=decimal_comma and not isinstance(cell, NumberText))
    if number is None:
        raise CellRefused(f"{shown(text)} is not a number such as 3 or 0.250")
    thousandths = number * THOUSANDTHS
    if thousandths != thousandths.to_integral_value():
        raise CellRefused(f"{shown(text)} has more than three decimals")
    if abs(thousandths) > _MAX_THOUSANDTHS:
        raise CellRefused(f"{shown(text)} is more than {_MAX_THOUSANDTHS // THOUSANDTHS}")
    return int(thousandths)


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
