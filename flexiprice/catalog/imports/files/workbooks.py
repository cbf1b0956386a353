"""Opens a workbook: .xlsx, .xlsm, .xlsb, .xls or .ods, of which one sheet is read."""

import os
import subprocess
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, cast

from flexiprice.catalog.imports.files.json_records import DECODER
from flexiprice.catalog.imports.files.records import IsHeader, RecordFile
from flexiprice.catalog.imports.files.tables import (
    MAX_ROWS_ABOVE_HEADER,
    Row,
    header_of,
    records_below,
    rows_above,
)
from flexiprice.catalog.imports.files.workbook_problems import WorkbookProblems
from flexiprice.catalog.imports.notation.typed_cells import DateText, NumberText
from flexiprice.catalog.imports.spelling import Spelling
from flexiprice.errors import InvalidInput

_PROGRAM = Path(__file__).with_name("workbook_program.py")
# Enough to start Python; among the others are passwords.
_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")


@contextmanager
def open_workbook(
    chunks: Iterable[bytes],
    *,
    sheet: str | None,
    is_header: IsHeader | None,
    memory_bytes: int,
    spelling: Spelling,
) -> Generator[RecordFile]:
    """Opens a workbook, and ends the program that reads it afterwards.

    Args:
        chunks: the file's bytes, in chunks of any size.
        sheet: the name of the sheet; by default that of the only visible one with any content.
        is_header: recognizes the header below title rows.
        memory_bytes: the maximum of address space for reading it.
        spelling: the notation of options in errors.

    Raises:
        InvalidInput: the workbook cannot be read, or it is not clear which sheet is meant.
    """
    with NamedTemporaryFile(prefix="flexiprice-workbook-") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        command = [sys.executable, "-I", str(_PROGRAM), file.name, str(memory_bytes)]
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        with subprocess.Popen(
            [*command, *([] if sheet is None else [sheet])],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            encoding="ascii",
        ) as program:
            try:
                problems = WorkbookProblems(sheet, memory_bytes, spelling)
                yield _file_of(_answers(cast("IO[str]", program.stdout), problems), is_header)
            finally:
                program.kill()


def _file_of(answers: Iterator[object], is_header: IsHeader | None) -> RecordFile:
    next(answers)
    rows = (_row(cast("list[object]", answer)) for answer in answers if isinstance(answer, list))
    head = list(islice(rows, MAX_ROWS_ABOVE_HEADER))
    if not head:
        raise InvalidInput("the file is empty")
    found = (place for place, row in enumerate(head) if is_header is not None and is_header(row.cells))
    place = next(found, 0)
    header = header_of(head[place])
    below = (_padded(row, len(header)) for row in chain(head[place + 1 :], rows))
    return RecordFile(header, records_below(below, header), rows_above(head[:place]))


def _answers(output: IO[str], problems: WorkbookProblems) -> Iterator[object]:
    is_whole = False
    for line in output:
        answer = cast(object, DECODER.decode(line))
        if isinstance(answer, dict):
            told = cast("dict[str, object]", answer)
            if "problem" in told:
                raise problems.error_of(str(told["problem"]), cast("list[str]", told.get("names", [])))
            is_whole = "end" in told
        yield answer
    if not is_whole:
        raise problems.error_of("memory")


def _row(answer: list[object]) -> Row:
    number, written = answer
    cells: list[str] = []
    unreadable: dict[int, str] = {}
    for place, cell in enumerate(cast("list[object]", written)):
        if isinstance(cell, str):
            cells.append(cell)
        elif isinstance(cell, dict):
            ((kind, text),) = cast("dict[str, str]", cell).items()
            if kind == "date":
                cells.append(DateText.of(datetime.fromisoformat(text)))
            elif kind == "number":
                cells.append(NumberText(text))
            else:
                cells.append("")
                unreadable[place] = text
        else:
            cells.append("")
            unreadable[place] = "true" if cell else "false"
    return Row(int(cast("str", number)), cells, unreadable=unreadable)


def _padded(row: Row, width: int) -> Row:
    row.cells.extend([""] * (width - len(row.cells)))
    return row
