"""The results of `flexiprice import` as files: bad rows and warnings."""

import csv
import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from flexiprice.catalog.imports.csv_cells import inert
from flexiprice.catalog.imports.problems import BadRow, DataWarning
from flexiprice.cli.console import file_errors
from flexiprice.errors import InvalidInput

SOME_ROWS_BAD: Final = 3
"""The exit code where some rows were left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOutputs:
    """The wishes of a user about the results of an import.

    Attributes:
        name: of the file, for the audit.
        errors: the file for bad rows.
        warnings: the file for warnings.
        dry_run: whether nothing is written to the database.
        as_json: whether the report is printed as JSON.
    """

    name: str
    errors: Path | None
    warnings: Path | None
    dry_run: bool
    as_json: bool


def refuse_same_file(file: BinaryIO, *others: Path | None) -> None:
    """Checks that the files to write differ from each other and from the file to import.

    Raises:
        InvalidInput: two of them are the same file.
    """
    given = [path for path in others if path is not None]
    if len({path.absolute() for path in given}) < len(given):
        raise InvalidInput("--errors and --warnings must be two files")
    for path in given:
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            raise InvalidInput(f"{path} is the file to import: write errors and warnings to another one")


@contextmanager
def bad_rows_file(path: Path) -> Generator[Callable[[BadRow], None]]:
    """Opens a CSV file of bad rows, with one line for each problem.

    Raises:
        InvalidInput: the file cannot be written.
    """
    with _csv_file(path, ("line", "column", "reason")) as write:

        def write_row(row: BadRow) -> None:
            for problem in row.problems:
                write((row.line, problem.column, problem.reason))

        yield write_row


@contextmanager
def warnings_file(path: Path) -> Generator[Callable[[DataWarning], None]]:
    """Opens a CSV file of warnings, one a line.

    Raises:
        InvalidInput: the file cannot be written.
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
        line, column, message = row
        with file_errors(path):
            writer.writerow((line, inert(column or ""), message))

    try:
        with file_errors(path):
            writer.writerow(header)
        yield write
    finally:
        with file_errors(path):
            file.close()
