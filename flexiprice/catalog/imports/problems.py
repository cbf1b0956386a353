"""Bad rows and warnings of an import."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CellProblem:
    """A problem of a row, with the column of the file if it concerns one."""

    column: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.column}: {self.reason}" if self.column else self.reason


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that was left out, with its first line and all its problems."""

    line: int
    problems: tuple[CellProblem, ...]


@dataclass(frozen=True, slots=True)
class DataWarning:
    """A value that was read differently from its text, or not read. Its row is imported.

    `line` is None for a warning about the file, `column` for one about a whole row.
    """

    line: int | None
    column: str | None
    message: str
