"""Splits chunks of bytes into lines of bounded length."""

import codecs
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from flexiprice.catalog.imports.notation.cells import shown
from flexiprice.catalog.imports.spelling import Option, Spelling
from flexiprice.errors import InvalidInput

MAX_LINE_LENGTH = 65_536

_NOT_TEXT = {
    b"PK\x03\x04": "a zip archive or an Excel workbook: export the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: export the sheet as CSV",
    b"\x1f\x8b": "compressed: unpack it first",
}
_LONGEST_SIGNATURE = max(map(len, _NOT_TEXT))
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its line break, numbered from 1, truncated to `MAX_LINE_LENGTH`."""

    number: int
    text: str
    too_long: bool = False


def decode_text(
    chunks: Iterable[bytes], *, encoding: str = "utf-8", spelling: Spelling = Spelling.COMMAND
) -> Iterator[str]:
    r"""Decodes a file, in pieces of any size; `\r\n` and `\r` become `\n`.

    Undecodable bytes become lone surrogates, so that an error can name their cell instead of refusing the
    whole file.

    Args:
        chunks: the file's bytes, in chunks of any size.
        encoding: one of Python's text encodings; `utf-8` may begin with a byte order mark.
        spelling: the notation of options in an error.

    Raises:
        InvalidInput: the file is not text, or the encoding is unknown.
    """
    decoder = io.IncrementalNewlineDecoder(_decoder(encoding), translate=True)
    start, chunks = peek(chunks)
    _refuse_binary(start, encoding, spelling)
    for piece in chain(chunks, [None]):
        yield _decode(decoder, piece, encoding)


def peek(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Returns the first bytes of a file, enough to tell its format, and all its chunks."""
    incoming = iter(chunks)
    start = b""
    while len(start) < _LONGEST_SIGNATURE and (chunk := next(incoming, None)) is not None:
        start += chunk
    return start, chain([start], incoming)


def split_lines(pieces: Iterable[str]) -> Iterator[Line]:
    """Splits text, in pieces of any size, into lines."""
    number, pending, too_long = 0, "", False
    for piece in pieces:
        *complete, pending = (pending + piece).split("\n")
        for line in complete:
            number += 1
            yield Line(number, line[:MAX_LINE_LENGTH], too_long or len(line) > MAX_LINE_LENGTH)
            too_long = False
        if len(pending) > MAX_LINE_LENGTH:
            pending, too_long = pending[:MAX_LINE_LENGTH], True
    if pending:
        yield Line(number + 1, pending, too_long)


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        # Only a text stream refuses codecs that are not text encodings.
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        name = codecs.lookup(encoding).name
        return codecs.getincrementaldecoder("utf-8-sig" if name == "utf-8" else name)(
            errors="surrogateescape"
        )
    except (LookupError, ValueError) as error:
        raise InvalidInput(f"{shown(encoding)} is not a text encoding", field="encoding") from error


def _decode(decoder: io.IncrementalNewlineDecoder, chunk: bytes | None, encoding: str) -> str:
    try:
        return decoder.decode(chunk or b"", final=chunk is None)
    except UnicodeError as error:
        raise InvalidInput(f"the file is not {encoding} text: {error}", field="encoding") from error


def _refuse_binary(start: bytes, encoding: str, spelling: Spelling) -> None:
    for signature, meaning in _NOT_TEXT.items():
        if start.startswith(signature):
            raise InvalidInput(f"the file is {meaning}")
    if start.startswith(_UTF_16) and codecs.lookup(encoding).name == "utf-8":
        option = Option("encoding", "utf-16")
        raise InvalidInput(
            spelling.write("the file is UTF-16 text: give ", option, ", or save it as UTF-8"),
            field="encoding",
        )
