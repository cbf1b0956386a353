"""The files that `flexiprice import` writes beside its report: every bad row, every warning."""

import csv
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from flexiprice.catalog.imports.rows import BadRow, DataWarning
from flexiprice.cli.console import file_errors
from flexiprice.errors import InvalidInput

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def refuse_same_file(file: BinaryIO, *others: Path | None) -> None:
    """Makes sure that no file is written that is another one's, above all the one that is read.

    Raises:
        InvalidInput: two of them are one file.
    """
    given = [path for path in others if path is not None]
    if len({path.absolute() for path in given}) < len(given):
        raise InvalidInput("--errors and --warnings must be two files")
    for path in given:
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise InvalidInput(f"{path} is the file to import: write errors and warnings to another one")


@contextmanager
def bad_rows_file(path: Path) -> Generator[Callable[[BadRow], None]]:
    """A CSV file of bad rows, one line for each problem.

    Raises:
        InvalidInput: it cannot be written.
    """
    with _csv_file(path, ("line", "column", "reason")) as write:

        def tell(row: BadRow) -> None:
            for problem in row.problems:
                write((row.line, problem.column, problem.reason))

        yield tell


@contextmanager
def warnings_file(path: Path) -> Generator[Callable[[DataWarning], None]]:
    """A CSV file of warnings, one a line.

    Raises:
        InvalidInput: it cannot be written.
    """
    with _csv_file(path, ("line", "column", "message")) as write:
        yield lambda warning: write((warning.line, warning.column, warning.message))


@contextmanager
def _csv_file(
    path: Path, header: Sequence[str]
) -> Generator[Callable[[tuple[int | None, str | None, str]], None]]:
    with file_errors(path):
        file = path.open("w", encoding="utf-8", errors="replace", newline="")
    writer = csv.writer(file)

    def write(row: tuple[int | None, str | None, str]) -> None:
        line, column, told = row
        with file_errors(path):
            writer.writerow((line, _inert(column or ""), told))

    try:
        with file_errors(path):
            writer.writerow(header)
        yield write
    finally:
        with file_errors(path):
            file.close()


def _inert(cell: str) -> str:
    # A spreadsheet would run a column's name that looks like a formula.
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell
