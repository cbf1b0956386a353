"""Restores codes and texts that spreadsheets or data frames have altered."""

import re
from typing import NamedTuple

from flexiprice.catalog.imports.notation.cells import shown

_SHORTENED = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}|[0-9][.,][0-9]+[eE][0-9]{1,3}")
_ERRORS = frozenset({"#N/A", "#NAME?", "#REF!", "#VALUE!", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"})
_FORMULA_OF_TEXT = re.compile(r'="([^"]*)"')
_MARKED_AS_TEXT = re.compile(r"'[0-9=+@-][^']*")
_WHOLE_NUMBER_AS_DECIMAL = re.compile(r"[0-9]+\.0+")
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_TURNED_INTO_DATE = re.compile(rf"[0-9]{{1,2}}-(?:{_MONTHS})|(?:{_MONTHS})-[0-9]{{2}}")


class SpoiledText(ValueError):
    """A spreadsheet destroyed the text; the message completes a sentence about the cell."""


class MeantText(NamedTuple):
    """The restored text, with a warning if it differs from the cell."""

    text: str
    warning: str | None = None


def meant_text(cell: str) -> MeantText:
    """Restores a text: `="Milk"` is a formula for `Milk`.

    Raises:
        SpoiledText: it is a spreadsheet's error value, such as `#N/A`.
    """
    if not cell.startswith(("=", "#")):
        return MeantText(cell)
    if cell in _ERRORS or cell.strip("#") == "":
        raise SpoiledText("is what a spreadsheet shows for an error: correct the cell and export again")
    if (match := _FORMULA_OF_TEXT.fullmatch(cell)) is not None:
        return MeantText(match[1], f"is a spreadsheet's formula for a text, read as {shown(match[1])}")
    return MeantText(cell)


def meant_code(cell: str) -> MeantText:
    """Restores a code: `="0012"` and `'0012` are `0012`; `4006381333931.0` loses its decimals.

    Raises:
        SpoiledText: a spreadsheet shortened it to `4.00638E+12`, so digits are lost, or it is an error value.
    """
    meant = meant_text(cell)
    if meant.warning is not None:
        return meant
    if _SHORTENED.fullmatch(cell):
        raise SpoiledText(
            "is a number that Excel shortened, so digits of it are lost: format the column as text (in Excel "
            "before the codes are typed or loaded) and export again"
        )
    if _MARKED_AS_TEXT.fullmatch(cell):
        return MeantText(cell[1:], f"begins with a spreadsheet's mark for text, read as {shown(cell[1:])}")
    if _WHOLE_NUMBER_AS_DECIMAL.fullmatch(cell):
        whole = cell.partition(".")[0]
        return MeantText(whole, f"is a whole number with decimals, read as {shown(whole)}")
    if _TURNED_INTO_DATE.fullmatch(cell):
        return MeantText(cell, "looks like a date that a spreadsheet made of a code; it is kept as it stands")
    return MeantText(cell)


def meant_by_date(cell: str, *, is_lot: bool) -> MeantText:
    """Restores a code or name from a date cell of a workbook: only a lot may be named by a date.

    Raises:
        SpoiledText: the workbook took a code such as `2-Oct` for a date, so its letters are lost.
    """
    if is_lot:
        return MeantText(cell, "is a date in the workbook; the lot is named by it")
    raise SpoiledText(
        "is a date in the workbook, where a code or a name is needed: format the column as text and enter it "
        "again"
    )
