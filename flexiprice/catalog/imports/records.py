"""Parses lines into records: one `Record` per CSV row or NDJSON object."""

import csv
import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import cast

from flexiprice.catalog.imports.lines import MAX_LINE_LENGTH, Line
from flexiprice.errors import InvalidInput
from flexiprice.plurals import counted

DELIMITERS = ",;\t|"
MAX_COLUMNS = 1000
# A quoted cell may contain line breaks, but an unclosed quote must not consume the file.
MAX_LINES_PER_RECORD = 100


class FileFormat(StrEnum):
    """The format of a file."""

    CSV = "csv"
    NDJSON = "ndjson"


_EMPTY: Mapping[str | None, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Record:
    """The cells of one record by column name, or the `fault` that made it unreadable.

    `line` is its first line. A cell is None for an NDJSON null. `unreadable` has the kind of each NDJSON
    value that is neither text nor a number, by name.
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
    """A file whose header has been read; `header` is None for NDJSON, whose records name their cells."""

    header: tuple[str, ...] | None
    records: Iterator[Record]


def open_records(
    lines: Iterator[Line], *, delimiter: str | None = None, file_format: FileFormat | None = None
) -> RecordFile:
    """Detects the format of a file and reads its header.

    Args:
        lines: the file's lines.
        delimiter: between the cells of a CSV file; by default the most frequent of comma, semicolon, tab and
            bar in the header. A tab may be written as a backslash and t.
        file_format: by default NDJSON if the first character is `{`, else CSV.

    Raises:
        InvalidInput: the file is empty, or its header cannot be used.
    """
    first = next((line for line in lines if line.text.strip()), None)
    if first is None:
        raise InvalidInput("the file is empty")
    if file_format is None:
        file_format = FileFormat.NDJSON if first.text.lstrip().startswith("{") else FileFormat.CSV
    source = _LineSource(lines)
    source.push_back([first])
    if file_format is FileFormat.NDJSON:
        return RecordFile(None, _json_records(source))
    delimiter = "\t" if delimiter == "\\t" else delimiter or max(DELIMITERS, key=first.text.count)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise InvalidInput("the delimiter must be one character other than a quote", field="delimiter")
    rows = _csv_rows(source, delimiter)
    header = _header(next(rows))
    return RecordFile(header, _csv_records(rows, header))


class _RecordTooLong(Exception):
    """A record has more lines than any real one: its quote was never closed."""


class _LineSource:
    """An iterator of lines for `csv`, which can push lines back after a broken record."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._returned: deque[Line] = deque()
        self.taken: list[Line] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if (
            len(self.taken) >= MAX_LINES_PER_RECORD
            or sum(len(line.text) for line in self.taken) > MAX_LINE_LENGTH
        ):
            raise _RecordTooLong
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        return f"{line.text}\n"

    def push_back(self, lines: list[Line]) -> None:
        self._returned.extendleft(reversed(lines))


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    cells: list[str]
    fault: str | None = None


def _csv_rows(source: _LineSource, delimiter: str) -> Iterator[_Row]:
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        source.taken = []
        fault = None
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _RecordTooLong:
            fault = "a quote opens here that is never closed"
        except csv.Error as error:
            fault = (
                "a quote opens here that is never closed"
                if "end of data" in str(error)
                else f"not CSV: {error}"
            )
        first, *rest = source.taken
        if first.too_long:
            fault = f"the line is longer than {MAX_LINE_LENGTH} characters"
        if fault is not None:
            # The lines after the broken one may be good rows that its quote consumed.
            source.push_back(rest)
        yield _Row(first.number, cells, fault)


def _header(row: _Row) -> tuple[str, ...]:
    if row.fault is not None:
        raise InvalidInput(f"the header (line {row.line}) cannot be read: {row.fault}")
    if len(row.cells) > MAX_COLUMNS:
        raise InvalidInput(f"the header has {len(row.cells)} columns, at most {MAX_COLUMNS} are allowed")
    return tuple(name.strip() for name in row.cells)


def _csv_records(rows: Iterator[_Row], header: tuple[str, ...]) -> Iterator[Record]:
    width = len(header)
    for row in rows:
        cells, fault = row.cells, row.fault
        # Spreadsheets export trailing empty rows, and trailing empty cells in rows.
        if fault is None and not any(cell.strip() for cell in cells):
            continue
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if fault is None and len(cells) != width:
            fault = f"has {counted(len(cells), 'cell')} where the header has {width}"
        yield (
            Record(row.line, fault=fault)
            if fault
            else Record(row.line, dict(zip(header, cells, strict=True)))
        )


def _json_records(source: _LineSource) -> Iterator[Record]:
    for text in source:
        line = source.taken.pop()
        if line.too_long:
            yield Record(line.number, fault=f"the line is longer than {MAX_LINE_LENGTH} characters")
        elif text.strip():
            yield _json_record(line)


class _RepeatedNames(dict[str, object]):
    """An object with a repeated name."""


def _json_record(line: Line) -> Record:
    try:
        # Numbers stay text: a price must not become a float, nor a huge number an integer.
        value = cast(
            object,
            json.loads(
                line.text,
                parse_float=str,
                parse_int=str,
                parse_constant=_no_number,
                object_pairs_hook=_json_object,
            ),
        )
    except (ValueError, RecursionError) as error:
        return Record(line.number, fault=f"not JSON: {error}")
    if not isinstance(value, dict):
        return Record(line.number, fault="not a JSON object")
    if isinstance(value, _RepeatedNames):
        return Record(line.number, fault="names a field twice: the values are ambiguous")
    cells = cast(dict[str, object], value)
    unreadable: dict[str | None, str] = {}
    for name, cell in cells.items():
        if cell is not None and not isinstance(cell, str):
            unreadable[name] = _kind(cell)
    if not unreadable:
        return Record(line.number, cast(dict[str, str | None], cells))
    readable = {name: cell for name, cell in cells.items() if cell is None or isinstance(cell, str)}
    return Record(line.number, readable, unreadable=unreadable)


def _no_number(constant: str) -> object:
    raise ValueError(f"{constant} is not a JSON number")


def _json_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    named = dict(pairs)
    return named if len(named) == len(pairs) else _RepeatedNames(named)


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "a list" if isinstance(value, list) else "an object"
