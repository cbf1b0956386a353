"""The fields of an event, and the columns of a file that hold them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from typing import Final

from flexiprice.catalog.imports.column_map import parse_pairs
from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.errors import InvalidInput

_SEPARATORS: Final = re.compile(r"[\s_.-]+")
_SHAPES_REMEMBERED: Final = 256
_UNUSED_REMEMBERED: Final = 1000


class EventField(StrEnum):
    """A field of an event."""

    KIND = "kind"
    STORE = "store"
    SOURCE = "source"
    LINE_ID = "line_id"
    OCCURRED_AT = "occurred_at"
    SKU = "sku"
    GTIN = "gtin"
    QUANTITY = "quantity"
    UNIT_PRICE = "unit_price"
    LOT = "lot"
    EXPIRY_DATE = "expiry_date"


EventColumns = Mapping[EventField, str]


def parse_event_map(pairs: Iterable[str]) -> dict[EventField, str]:
    """Parses pairs such as `line_id=Receipt line`; `lot=` means that no column holds the field.

    Raises:
        InvalidInput: a pair is malformed, or its field is unknown or repeated.
    """
    known = ", ".join(EventField)
    return parse_pairs(
        pairs,
        EventField,
        example="sku=Article",
        unknown=lambda name, _: f"there is no field {shown(name)} of an event; there are {known}",
    )


class EventColumnMatcher:
    """Matches columns to fields: those given, and others by the field's own name in any spelling.

    Attributes:
        seen: the first column that each field was read from.
        unused: columns that were not read, the first thousand.
    """

    def __init__(
        self, given: EventColumns, *, header: Sequence[str] | None = None, known: Iterable[EventField] = ()
    ) -> None:
        """Takes the given columns, the header of a table, and the fields that need no column.

        Raises:
            InvalidInput: the header lacks a column that was given or that is required.
        """
        self._given = given
        self._shapes: dict[tuple[str, ...], EventColumns] = {}
        self._unused: dict[str, None] = {}
        self.seen: dict[EventField, str] = {}
        self._header = None if header is None else self._match(tuple(header))
        if header is not None and self._header is not None:
            _check_header(header, given, self._header, set(known))

    @property
    def unused(self) -> tuple[str, ...]:
        """Columns that were not read."""
        return tuple(self._unused)

    def columns_of(self, record: Record) -> EventColumns:
        """Returns the column of each field in a record."""
        if self._header is not None:
            return self._header
        names = record.names
        match = self._shapes.get(names)
        return self._match(names) if match is None else match

    def _match(self, names: tuple[str, ...]) -> EventColumns:
        by_name = {_SEPARATORS.sub("_", name.strip().casefold()): name for name in names}
        wanted = {field: self._given.get(field, by_name.get(field.value, "")) for field in EventField}
        columns = {field: column for field, column in wanted.items() if column in names and column}
        used = set(columns.values())
        for name in names:
            if name not in used and len(self._unused) < _UNUSED_REMEMBERED:
                self._unused.setdefault(name)
        self.seen = {**columns, **self.seen}
        if len(self._shapes) < _SHAPES_REMEMBERED:
            self._shapes[names] = columns
        return columns


def is_event_header(names: Sequence[str], given: EventColumns) -> bool:
    """Whether a row is likely a header: it names at least two fields."""
    known = {field.value for field in EventField}
    return (
        sum(_SEPARATORS.sub("_", name.strip().casefold()) in known for name in names)
        + len(set(names) & set(given.values()))
        > 1
    )


def _check_header(
    header: Sequence[str], given: EventColumns, columns: EventColumns, known: set[EventField]
) -> None:
    for field, column in given.items():
        if column and column not in header:
            near = get_close_matches(column, header, n=1)
            hint = (
                f"did you mean {shown(near[0])}?" if near else f"it has {', '.join(map(shown, header[:20]))}"
            )
            raise InvalidInput(f"the file has no column {shown(column)} for {field}; {hint}", field="map")
    required = {
        *(EventField.KIND, EventField.SOURCE, EventField.LINE_ID, EventField.OCCURRED_AT),
        EventField.QUANTITY,
    }
    missing = sorted(field.value for field in (required - known) - columns.keys())
    if EventField.SKU not in columns and EventField.GTIN not in columns:
        missing.append("sku or gtin")
    if missing:
        has = ", ".join(map(shown, header[:20]))
        raise InvalidInput(
            f"the file has no column for {', '.join(missing)}; it has {has}: map FIELD=COLUMN, or give the "
            "option of that name",
            field="map",
        )
