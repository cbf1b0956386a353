"""Reads records from JSON objects, one a line (NDJSON) or parsed elsewhere."""

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Final, cast

from flexiprice.catalog.imports.files.lines import MAX_LINE_LENGTH, Line
from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.notation.typed_cells import NumberText


def ndjson_records(lines: Iterable[Line], paths: Collection[str] = ()) -> Iterator[Record]:
    """Reads one object a line; empty lines are skipped, and a line that is none is a record with a fault.

    Args:
        lines: the file's lines.
        paths: see `record_of`.
    """
    for line in lines:
        if line.too_long:
            yield Record(line.number, fault=f"the line is longer than {MAX_LINE_LENGTH} characters")
        elif line.text.strip():
            try:
                value = cast(object, DECODER.decode(line.text))
            except (ValueError, RecursionError) as error:
                yield Record(line.number, fault=f"not JSON: {error}")
            else:
                yield record_of(line.number, value, paths)


def record_of(line: int, value: object, paths: Collection[str] = ()) -> Record:
    """Returns the record of a value that `DECODER` decoded.

    Args:
        line: the record's line or position.
        value: an object; anything else is a fault.
        paths: names with points, such as `product.name`, of fields to read from nested objects.
    """
    if not isinstance(value, dict):
        return Record(line, fault="not a JSON object")
    if isinstance(value, _RepeatedNames):
        return Record(line, fault="names a field twice: the values are ambiguous")
    fields = cast(dict[str, object], value)
    for path in paths:
        found, nested = _find(fields, path)
        if found and path not in fields:
            fields[path] = nested
    unreadable: dict[str | None, str] = {}
    for name, cell in fields.items():
        if cell is not None and not isinstance(cell, str):
            unreadable[name] = _kind(cell)
    if not unreadable:
        return Record(line, cast(dict[str, str | None], fields))
    readable = {name: cell for name, cell in fields.items() if cell is None or isinstance(cell, str)}
    return Record(line, readable, unreadable=unreadable)


class _RepeatedNames(dict[str, object]):
    """An object with a repeated name."""


def _no_number(constant: str) -> object:
    raise ValueError(f"{constant} is not a JSON number")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    named = dict(pairs)
    return named if len(named) == len(pairs) else _RepeatedNames(named)


# Numbers stay text: a price must not become a float, nor a huge number an integer.
DECODER: Final = json.JSONDecoder(
    parse_float=NumberText, parse_int=NumberText, parse_constant=_no_number, object_pairs_hook=_object
)


def _find(fields: dict[str, object], path: str) -> tuple[bool, object]:
    inside = fields
    *parents, last = path.split(".")
    for name in parents:
        value = inside.get(name)
        if isinstance(value, _RepeatedNames):
            return True, value
        if not isinstance(value, dict):
            return False, None
        inside = cast(dict[str, object], value)
    return last in inside, inside.get(last)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "a list" if isinstance(value, list) else "an object"
