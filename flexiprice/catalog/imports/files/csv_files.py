"""Reads CSV files: their delimiter, their header, and rows whose quoted cells may contain line breaks."""

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain, dropwhile

from flexiprice.catalog.imports.files.lines import MAX_LINE_LENGTH, Line
from flexiprice.catalog.imports.files.records import IsHeader, RecordFile
from flexiprice.catalog.imports.files.tables import (
    MAX_ROWS_ABOVE_HEADER,
    Row,
    header_of,
    records_below,
    rows_above,
)
from flexiprice.errors import InvalidInput

DELIMITERS = ",;\t|"
# A quoted cell may contain line breaks, but an unclosed quote must not consume the file.
MAX_LINES_PER_RECORD = 100
# Lines of a header below the last title row.
_LINES_OF_A_HEADER = 20
# Excel writes and reads this line.
_SEPARATOR_LINE = re.compile(r'"?sep=(?P<delimiter>[^"\w\s]|\t)"?', re.IGNORECASE)


def open_csv(
    lines: Iterator[Line], *, delimiter: str | None = None, is_header: IsHeader | None = None
) -> RecordFile:
    """Reads the header of a CSV file.

    Args:
        lines: the file's lines.
        delimiter: between its cells; by default that of a first line `sep=;`, else the most frequent of
            comma, semicolon, tab and bar in the header. A tab may be written as a backslash and t.
        is_header: recognizes a header below title rows, among the first rows; without it, or where it
            recognizes none, the first row is the header.

    Raises:
        InvalidInput: the file is empty, or its header or the delimiter cannot be used.
    """
    delimiter = "\t" if delimiter == "\\t" else delimiter
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise InvalidInput("the delimiter must be one character other than a quote", field="delimiter")
    head = _head(lines)
    if not head:
        raise InvalidInput("the file is empty")
    if separator := _SEPARATOR_LINE.fullmatch(head[0].text.strip(" ")):
        delimiter = delimiter or separator["delimiter"]
        head = _without_empty(head[1:])
    place = _place_of_header(head, delimiter, is_header)
    delimiter = delimiter or _most_frequent(head[place] if head else None)
    above = rows_above(_rows(_LineSource(iter(head[:place])), delimiter))
    rows = _rows(_LineSource(chain(head[place:], lines)), delimiter)
    first = next(rows, None)
    if first is None:
        raise InvalidInput("the file is empty")
    header = header_of(first)
    return RecordFile(header, records_below(rows, header), above)


def _head(lines: Iterator[Line]) -> list[Line]:
    """Takes the lines among which the header is, without empty lines above the first row."""
    head: list[Line] = []
    for line in lines:
        if head or line.text.strip():
            head.append(line)
        if len(head) >= MAX_ROWS_ABOVE_HEADER + _LINES_OF_A_HEADER:
            break
    return head


def _without_empty(head: Sequence[Line]) -> list[Line]:
    return list(dropwhile(lambda line: not line.text.strip(), head))


def _place_of_header(head: Sequence[Line], delimiter: str | None, is_header: IsHeader | None) -> int:
    if is_header is not None:
        for place, line in enumerate(head[:MAX_ROWS_ABOVE_HEADER]):
            rows = _rows(_LineSource(iter(head[place:])), delimiter or _most_frequent(line))
            row = next(rows, None)
            if row is not None and row.fault is None and is_header(row.cells):
                return place
    return 0


def _most_frequent(line: Line | None) -> str:
    return max(DELIMITERS, key=line.text.count) if line is not None else DELIMITERS[0]


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


def _rows(source: _LineSource, delimiter: str) -> Iterator[Row]:
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
        yield Row(first.number, cells, fault)
