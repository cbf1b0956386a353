"""Reads the records of one JSON document: an array, or an object with exactly one array of records in it."""

from collections.abc import Collection, Iterator
from json import JSONDecodeError
from typing import cast

from flexiprice.catalog.imports.files.json_records import DECODER, record_of
from flexiprice.catalog.imports.files.records import Record
from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.errors import InvalidInput

MAX_VALUE_LENGTH = 1 << 20
_MAX_DEPTH = 20
_LONGEST_LITERAL = len("-Infinity")
JSON_SPACE = " \t\n\r"


def json_records(pieces: Iterator[str], paths: Collection[str] = ()) -> Iterator[Record]:
    """Reads one record after the other; only one is in memory at a time.

    A record's line is its position in the array, from 1.

    Args:
        pieces: the document's text, in pieces of any size.
        paths: names of fields of nested objects, see `record_of`.

    Raises:
        InvalidInput: the document is not JSON, goes beyond its limits, or has no array of records or
            several. Records before the fault have been yielded.
    """
    for position, value in enumerate(_Document(pieces).records(), start=1):
        yield record_of(position, value, paths)


def has_records_inside(value: object, depth: int = 0) -> bool:
    """Whether a decoded object has an array of objects in it, at any depth."""
    if isinstance(value, list):
        elements = cast(list[object], value)
        return bool(elements) and isinstance(elements[0], dict)
    if isinstance(value, dict) and depth <= _MAX_DEPTH:
        return any(has_records_inside(each, depth + 1) for each in cast(dict[str, object], value).values())
    return False


def is_cut_off(error: ValueError | RecursionError, text: str) -> bool:
    """Whether a value could not be decoded only because the text ends within it."""
    if not isinstance(error, JSONDecodeError):
        return False
    return error.msg.startswith("Unterminated string") or error.pos >= len(text) - _LONGEST_LITERAL


class _Document:
    def __init__(self, pieces: Iterator[str]) -> None:
        self._pieces = pieces
        self._text = ""
        self._at = 0
        self._read = 0
        self._array: str | None = None

    def records(self) -> Iterator[object]:
        if self._next() == "[":
            yield from self._elements("")
        elif self._next() == "{":
            yield from self._inside_object("", 0)
        else:
            raise self._fault("it begins with neither [ nor {")
        if self._next():
            raise self._fault("text follows the end of the document; several objects are NDJSON, one a line")
        if self._array is None:
            raise InvalidInput("the JSON object has no array of records in it")
        if not self._read:
            raise InvalidInput("the file is empty: its array has no records")

    def _inside_object(self, path: str, depth: int) -> Iterator[object]:
        if depth > _MAX_DEPTH:
            raise self._fault(f"objects are nested more than {_MAX_DEPTH} deep")
        self._take("{")
        for _ in self._until("}"):
            name = self._value()
            if type(name) is not str:
                raise self._fault("a name in quotes is missing")
            self._next()
            self._take(":")
            place = f"{path}.{name}" if path else name
            match self._next():
                case "[":
                    yield from self._elements(place)
                case "{":
                    yield from self._inside_object(place, depth + 1)
                case _:
                    self._value()

    def _elements(self, place: str) -> Iterator[object]:
        """Yields the elements of an array of records; those of any other array are skipped."""
        self._take("[")
        of_records = self._next() == "{" or place == ""
        if of_records:
            if self._array is not None:
                names = " and ".join(shown(name) for name in (self._array, place))
                raise InvalidInput(f"the JSON object has several arrays of records, {names}: keep one")
            self._array = place
        for _ in self._until("]"):
            value = self._value()
            if of_records:
                self._read += 1
                yield value

    def _until(self, closing: str) -> Iterator[None]:
        """Yields before each member of an object or array, at its beginning; takes commas and the end."""
        is_first = True
        while self._next() != closing:
            if not is_first:
                self._take(",")
                self._next()
            is_first = False
            yield
        self._take(closing)

    def _next(self) -> str:
        """Skips space and returns the next character, or nothing at the end of the document."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in JSON_SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._fetch():
                return ""

    def _take(self, character: str) -> None:
        if self._next() != character:
            raise self._fault(f"{character} is missing")
        self._at += 1

    def _value(self) -> object:
        while True:
            try:
                value, end = cast(tuple[object, int], DECODER.raw_decode(self._text, self._at))
            except (ValueError, RecursionError) as error:
                if is_cut_off(error, self._text) and self._fetch():
                    continue
                reason = error.msg if isinstance(error, JSONDecodeError) else str(error)
                raise self._fault(reason) from None
            if end < len(self._text) or not self._fetch():
                self._at = end
                return value

    def _fetch(self) -> bool:
        """Reads on; returns False at the end of the document."""
        for piece in self._pieces:
            if piece:
                rest = self._text[self._at :]
                if len(rest) > MAX_VALUE_LENGTH:
                    raise self._fault(f"the next one is longer than {MAX_VALUE_LENGTH:,} characters")
                self._text, self._at = rest + piece, 0
                return True
        return False

    def _fault(self, reason: str) -> InvalidInput:
        return InvalidInput(f"the file is not JSON after record {self._read}: {reason}")
