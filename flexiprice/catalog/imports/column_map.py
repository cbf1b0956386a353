"""Parses the columns that a user gives for the fields of a file."""

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from flexiprice.catalog.imports.fields import DESCRIBING, OPTIONAL, ImportField
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.errors import InvalidInput

FieldT = TypeVar("FieldT", bound=StrEnum)


def parse_column_map(pairs: Iterable[str]) -> dict[ImportField, str]:
    """Parses pairs such as `sku=Product_ID`, field first; `lot=` means that no column holds the field.

    Raises:
        InvalidInput: a pair is malformed, or its field is unknown or repeated.
    """
    columns = parse_pairs(pairs, ImportField, example="sku=Product_ID", unknown=_unknown_field)
    for field, column in columns.items():
        if not column and field not in OPTIONAL and field not in DESCRIBING:
            raise InvalidInput(f"{field} is required, so a column must hold it", field="map")
    return columns


def parse_pairs(
    pairs: Iterable[str], fields: type[FieldT], *, example: str, unknown: Callable[[str, str], str]
) -> dict[FieldT, str]:
    """Parses pairs of a field and a column, such as `sku=Product_ID`.

    Args:
        pairs: the pairs.
        fields: the fields that exist.
        example: a pair for the error.
        unknown: returns the error for the name of an unknown field and its column.

    Raises:
        InvalidInput: a pair is malformed, or its field is unknown or repeated.
    """
    columns: dict[FieldT, str] = {}
    for pair in pairs:
        name, separator, column = (part.strip() for part in pair.partition("="))
        if not separator:
            raise InvalidInput(f"{shown(pair)} must look like {example}", field="map")
        if name not in set(fields):
            raise InvalidInput(unknown(name, column), field="map")
        field = fields(name)
        if field in columns:
            raise InvalidInput(f"{field} is mapped twice", field="map")
        columns[field] = column
    return columns


def _unknown_field(name: str, column: str) -> str:
    if column in set(ImportField):
        return f"write {column}={name}: first the field, then the file's column"
    near = get_close_matches(name, list(ImportField), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{shown(name)} is not one of {', '.join(ImportField)}{hint}"
