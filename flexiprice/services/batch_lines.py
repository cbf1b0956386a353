"""Batches as lines of NDJSON or CSV: split, read and checked as the bytes come in."""

import csv
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from flexiprice.db.tables import MAIN_STORE
from flexiprice.domain.catalogue import MAX_QUANTITY, CalendarDate, Lot, Quantity, Sku, StoreCode
from flexiprice.errors import InvalidInput
from flexiprice.plurals import counted

MAX_LINES = 1_000_000
MAX_LINE_BYTES = 65_536
_MAX_SHOWN = 100
_DELIMITERS = ",;\t"
_WHOLE_NUMBER = re.compile(r"\s*(?P<whole>[0-9]{1,10})(?:\.0{1,10})?\s*")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


_Parse = Callable[[str], "BatchLine"]


class LineFormat(StrEnum):
    """How lines are written; in both, a record is one line."""

    NDJSON = "ndjson"
    CSV = "csv"


def _text_of_number(value: object) -> object:
    # A code that is all digits is a number to whatever wrote the JSON.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _whole(value: object) -> object:
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_QUANTITY:
        return int(value)
    return value


class BatchLine(BaseModel):
    """How many units of a batch there are now; what is left out of the key has its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    store: StoreCode = MAIN_STORE
    sku: Annotated[Sku, BeforeValidator(_text_of_number)]
    lot: Annotated[Lot, BeforeValidator(_text_of_number)] = ""
    expiry_date: CalendarDate
    quantity: Annotated[Quantity, BeforeValidator(_whole)]


@dataclass(frozen=True, slots=True)
class LineProblem:
    """What is wrong with a line, numbered from 1, and in which field where it is one."""

    line: int
    field: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line that is not empty: the batch on it, or what is wrong with it."""

    number: int
    batch: BatchLine | None
    problems: tuple[LineProblem, ...] = ()


class _LineRefused(Exception):
    """The line is no record at all; the message says why."""


async def read_batch_lines(
    chunks: AsyncIterable[bytes], line_format: LineFormat | None
) -> AsyncIterator[list[ReadLine]]:
    """Reads lines as they arrive, those of one chunk at a time; empty lines are passed over.

    Args:
        chunks: the bytes, UTF-8, in pieces of any size.
        line_format: how the lines are written; CSV begins with a header of field names. None is NDJSON
            where the first character is `{`, and otherwise CSV.

    Raises:
        InvalidInput: the header cannot be used, or there are more lines than `MAX_LINES`.
    """
    splitter = _LineSplitter()
    parse: _Parse | None = _json_line if line_format is LineFormat.NDJSON else None
    count = 0
    async for lines in _split(chunks, splitter):
        read: list[ReadLine] = []
        for number, line in lines:
            if parse is None and line_format is None and (line or b"").lstrip().startswith(b"{"):
                parse = _json_line
            if parse is None:
                parse = _csv_parser(line)
                continue
            read.append(_read(number, line, parse))
        count += len(read)
        if count > MAX_LINES:
            raise InvalidInput(f"there are more than {MAX_LINES} lines: send them in several requests")
        yield read
    if parse is None:
        raise InvalidInput("the CSV has no header: its first line must name the columns")


def _read(number: int, line: bytes | None, parse: _Parse) -> ReadLine:
    if line is None:
        reason = f"has more than {MAX_LINE_BYTES} bytes"
        return ReadLine(number, None, (LineProblem(number, None, reason),))
    try:
        return ReadLine(number, parse(line.decode()))
    except UnicodeDecodeError:
        return ReadLine(number, None, (LineProblem(number, None, "is not UTF-8"),))
    except _LineRefused as error:
        return ReadLine(number, None, (LineProblem(number, None, str(error)),))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = tuple(
            LineProblem(number, shown(".".join(map(str, fault["loc"]))) or None, shown(fault["msg"]))
            for fault in found[:5]
        )
        return ReadLine(number, None, problems)


def shown(text: str) -> str:
    """What came from outside as it may stand in an answer: short, and valid text."""
    return text.encode(errors="backslashreplace").decode()[:_MAX_SHOWN]


def _json_line(text: str) -> BatchLine:
    return BatchLine.model_validate_json(text)


def _csv_parser(header: bytes | None) -> _Parse:
    try:
        text = (header or b"").decode()
        delimiter = max(_DELIMITERS, key=text.count)
        columns = [name.strip() for name in _cells(text, delimiter)]
    except (UnicodeDecodeError, _LineRefused) as error:
        raise InvalidInput("the header of the CSV cannot be read") from error
    _check_columns(columns)

    def parse(line: str) -> BatchLine:
        cells = _cells(line, delimiter)
        if len(cells) != len(columns):
            raise _LineRefused(f"has {counted(len(cells), 'cell')}, but the header has {len(columns)}")
        # An empty cell says nothing, so that the default stands.
        given: dict[str, object] = {
            column: cell for column, cell in zip(columns, cells, strict=True) if cell.strip()
        }
        if (quantity := _WHOLE_NUMBER.fullmatch(str(given.get("quantity")))) is not None:
            given["quantity"] = int(quantity["whole"])
        return BatchLine.model_validate(given)

    return parse


def _check_columns(columns: list[str]) -> None:
    fields = BatchLine.model_fields
    known = ", ".join(fields)
    for column in columns:
        if column not in fields:
            raise InvalidInput(f"there is no column {shown(column)!r}; there are {known}", field="header")
        if columns.count(column) > 1:
            raise InvalidInput(f"the column {column!r} is there twice", field="header")
    for name, field in fields.items():
        if field.is_required() and name not in columns:
            raise InvalidInput(f"the column {name!r} is missing; there are {known}", field="header")


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        # Above all a quoted line break, which no field of a batch can hold.
        raise _LineRefused(f"is not a line of CSV: {error}") from error


async def _split(
    chunks: AsyncIterable[bytes], splitter: "_LineSplitter"
) -> AsyncIterator[Iterator[tuple[int, bytes | None]]]:
    async for chunk in chunks:
        yield splitter.feed(chunk)
    yield splitter.feed(b"\n")


class _LineSplitter:
    """Cuts chunks into numbered lines; a line that is too long becomes None, and is not kept."""

    def __init__(self) -> None:
        self._number = 0
        self._pending = b""
        self._too_long = False

    def feed(self, chunk: bytes) -> Iterator[tuple[int, bytes | None]]:
        """The lines that end in this chunk, but for those with nothing on them."""
        for index, piece in enumerate(chunk.split(b"\n")):
            if index > 0:
                yield from self._end_line()
            self._too_long = self._too_long or len(self._pending) + len(piece) > MAX_LINE_BYTES
            self._pending = b"" if self._too_long else self._pending + piece

    def _end_line(self) -> Iterator[tuple[int, bytes | None]]:
        self._number += 1
        line = self._pending.removeprefix(_BYTE_ORDER_MARK) if self._number == 1 else self._pending
        if self._too_long:
            yield self._number, None
        elif line.strip():
            yield self._number, line.rstrip(b"\r")
        self._pending, self._too_long = b"", False
