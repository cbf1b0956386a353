"""Finds the header of a table and reads the rows below it, whether from CSV or from a workbook."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from flexiprice.catalog.imports.files.records import MAX_COLUMNS, Record
from flexiprice.errors import InvalidInput
from flexiprice.plurals import counted

MAX_ROWS_ABOVE_HEADER = 20
_CELLS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table, or the `fault` that made it unreadable.

    `unreadable` has the kind of each cell that is neither text nor a number or a date, by its place.
    """

    line: int
    cells: list[str]
    fault: str | None = None
    unreadable: Mapping[int, str] = field(default_factory=dict[int, str])

    @property
    def is_empty(self) -> bool:
        """Whether no cell holds anything."""
        return self.fault is None and not self.unreadable and not any(cell.strip() for cell in self.cells)


def header_of(row: Row) -> tuple[str, ...]:
    """Returns the names of the columns.

    Raises:
        InvalidInput: the row is unreadable or too long.
    """
    if row.fault is not None:
        raise InvalidInput(f"the header (line {row.line}) cannot be read: {row.fault}")
    if len(row.cells) > MAX_COLUMNS:
        raise InvalidInput(f"the header has {len(row.cells)} columns, at most {MAX_COLUMNS} are allowed")
    return tuple(name.strip() for name in row.cells)


def rows_above(rows: Iterable[Row]) -> tuple[tuple[int, str], ...]:
    """Returns line and first cells of the rows above a header, without empty rows."""
    return tuple((row.line, row.fault or _beginning(row.cells)) for row in rows if not row.is_empty)


def records_below(rows: Iterable[Row], header: Sequence[str]) -> Iterator[Record]:
    """Reads the rows below a header; empty rows are skipped."""
    width = len(header)
    for row in rows:
        # Spreadsheets export trailing empty rows, and trailing empty cells in rows.
        if row.is_empty:
            continue
        cells, fault = row.cells, row.fault
        while len(cells) > width and not cells[-1].strip() and len(cells) - 1 not in row.unreadable:
            cells.pop()
        if fault is None and len(cells) != width:
            fault = f"has {counted(len(cells), 'cell')} where the header has {width}"
        if fault is not None:
            yield Record(row.line, fault=fault)
            continue
        named = dict(zip(header, cells, strict=True))
        unreadable: dict[str | None, str] = {header[place]: kind for place, kind in row.unreadable.items()}
        for place in row.unreadable:
            named.pop(header[place], None)
        yield Record(row.line, named, unreadable=unreadable) if unreadable else Record(row.line, named)


def _beginning(cells: Sequence[str]) -> str:
    found = [" ".join(cell.split()) for cell in cells if cell.strip()]
    more = ", …" if len(found) > _CELLS_SHOWN else ""
    return ", ".join(found[:_CELLS_SHOWN]) + more
