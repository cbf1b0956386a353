"""Opens a file of any format, which is detected by its content."""

from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO, Final, cast

from flexiprice.catalog.imports.files.gzip_files import GZIP_SIGNATURE, unpack_gzip
from flexiprice.catalog.imports.files.json_documents import (
    JSON_SPACE,
    has_records_inside,
    is_cut_off,
    json_records,
)
from flexiprice.catalog.imports.files.json_records import DECODER
from flexiprice.catalog.imports.files.lines import MAX_LINE_LENGTH, decode_text, peek, split_lines
from flexiprice.catalog.imports.files.records import FileFormat, IsHeader, RecordFile
from flexiprice.catalog.imports.files.text_files import open_records
from flexiprice.catalog.imports.files.workbooks import open_workbook
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.errors import InvalidInput

# Limits where no settings are given.
MAX_UNPACKED_BYTES = 1 << 30
WORKBOOK_MEMORY_BYTES = 1 << 31
_CHUNK: Final = 1 << 16
# Zip archives, empty or not, and OLE files.
_WORKBOOKS = (b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """The options for opening a file; None is detected.

    Attributes:
        file_format: the format; gzip and workbooks are detected whatever it says.
        encoding: of its text.
        delimiter: between the cells of a CSV file.
        is_header: recognizes the header below title rows.
        paths: names of fields of nested JSON objects, see `record_of`.
        sheet: the name of a workbook's sheet.
        max_unpacked_bytes: the maximum size of a compressed file, unpacked.
        workbook_memory_bytes: the maximum of address space for reading a workbook.
        spelling: the notation of options in errors.
    """

    file_format: FileFormat | None = None
    encoding: str = "utf-8"
    delimiter: str | None = None
    is_header: IsHeader | None = None
    paths: Collection[str] = ()
    sheet: str | None = None
    max_unpacked_bytes: int = MAX_UNPACKED_BYTES
    workbook_memory_bytes: int = WORKBOOK_MEMORY_BYTES
    spelling: Spelling = Spelling.COMMAND


def chunks_of(file: BinaryIO) -> Iterator[bytes]:
    """Yields the bytes of an open file in chunks."""
    while chunk := file.read(_CHUNK):
        yield chunk


@contextmanager
def open_source(chunks: Iterable[bytes], options: SourceOptions) -> Generator[RecordFile]:
    """Opens a file, and closes at the end what was needed for it.

    Args:
        chunks: the file's bytes, in chunks of any size.
        options: how to read it.

    Raises:
        InvalidInput: the file as a whole, its header or the options cannot be used.
    """
    start, chunks = peek(chunks)
    if start.startswith(GZIP_SIGNATURE):
        unpacked = unpack_gzip(chunks, max_bytes=options.max_unpacked_bytes)
        start, chunks = peek(unpacked)
    if start.startswith(_WORKBOOKS):
        with open_workbook(
            chunks,
            sheet=options.sheet,
            is_header=options.is_header,
            memory_bytes=options.workbook_memory_bytes,
            spelling=options.spelling,
        ) as file:
            yield file
        return
    if options.file_format is FileFormat.EXCEL:
        raise InvalidInput("the file is no workbook", field="format")
    if options.sheet is not None:
        raise InvalidInput("only a workbook has sheets, and the file is none", field="sheet")
    yield _open_text(chunks, options)


def _open_text(chunks: Iterable[bytes], options: SourceOptions) -> RecordFile:
    pieces = decode_text(chunks, encoding=options.encoding, spelling=options.spelling)
    file_format, pieces = _text_format(pieces, options)
    if file_format is FileFormat.JSON:
        return RecordFile(None, json_records(pieces, options.paths))
    return open_records(
        split_lines(pieces),
        delimiter=options.delimiter,
        file_format=file_format,
        is_header=options.is_header,
        paths=options.paths,
    )


def _text_format(pieces: Iterator[str], options: SourceOptions) -> tuple[FileFormat | None, Iterator[str]]:
    """Tells a JSON document from NDJSON and CSV by its beginning, which stays in the pieces."""
    if options.file_format is not None:
        return options.file_format, pieces
    head, is_whole = "", False
    while len(head) <= MAX_LINE_LENGTH:
        piece = next(pieces, None)
        if piece is None:
            is_whole = True
            break
        head += piece
        if head.lstrip(JSON_SPACE)[:1] not in ("", "{", "["):
            break
    pieces = chain([head], pieces)
    begins = head.lstrip(JSON_SPACE)
    if begins.startswith("["):
        is_json = begins[1:].lstrip(JSON_SPACE)[:1] in ("{", "]", "")
        return (FileFormat.JSON if is_json else None), pieces
    is_json = begins.startswith("{") and _is_one_object(begins, options, is_whole=is_whole)
    return (FileFormat.JSON if is_json else None), pieces


def _is_one_object(text: str, options: SourceOptions, *, is_whole: bool) -> bool:
    """Whether a text that begins with { is one object around the records, and not an object a line."""
    try:
        value, end = cast(tuple[object, int], DECODER.raw_decode(text))
    except (ValueError, RecursionError) as error:
        # The object has more lines than one, or is longer than a line may be.
        return is_cut_off(error, text)
    if not is_whole or text[end:].strip(JSON_SPACE):
        return False
    names = [str(name) for name in cast(dict[str, object], value)]
    is_record = options.is_header is not None and options.is_header(names)
    return has_records_inside(value) and not is_record
