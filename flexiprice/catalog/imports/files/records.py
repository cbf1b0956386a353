"""Records: the rows of a table or the objects of a JSON file, before their cells are read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

MAX_COLUMNS = 1000

IsHeader = Callable[[Sequence[str]], bool]
"""Whether the cells of a row are the names of columns."""


class FileFormat(StrEnum):
    """The format of a file."""

    CSV = "csv"
    NDJSON = "ndjson"
    JSON = "json"
    EXCEL = "excel"


_EMPTY: Mapping[str | None, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record by column name, or the `fault` that made it unreadable.

    `line` is its first line, its row of a workbook, or its position in a JSON array. A cell is None for a
    JSON null. `unreadable` has the kind of each value that is neither text nor a number, by name.
    """

    line: int
    cells: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    fault: str | None = None
    unreadable: Mapping[str | None, str] = field(default_factory=lambda: _EMPTY)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the record, readable or not."""
        return (*self.cells, *(name for name in self.unreadable if name is not None))


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A file whose header has been read.

    Attributes:
        header: the names of its columns; None for JSON, whose records name their cells.
        records: its records.
        above_header: the rows above the header that were skipped: line and first cells.
    """

    header: tuple[str, ...] | None
    records: Iterator[Record]
    above_header: tuple[tuple[int, str], ...] = ()
