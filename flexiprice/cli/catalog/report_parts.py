"""Prints what the reports of all imports have in common: columns, and rows that were left out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from flexiprice.catalog.imports.problems import BadRow
from flexiprice.cli.console import escaped, new_table, output

SHOWN: Final = 20
"""The number of rows and warnings that are printed; files take all of them."""


def show_columns(columns: Mapping[str, str], unused: Sequence[str]) -> None:
    """Prints the column of each field, and the columns that were not read."""
    console = output()
    mapped = ", ".join(f"{field} from {escaped(column)}" for field, column in columns.items())
    console.print(f"Columns: {mapped}", style="dim")
    if unused:
        console.print(f"Ignored columns: {escaped(', '.join(unused))}", style="dim")


def show_rows(reason: str, rows: Iterable[BadRow]) -> None:
    """Prints rows with their problems under a heading of the reason."""
    table = new_table("line", "column", reason, numbers=("line",))
    for row in rows:
        for position, problem in enumerate(row.problems):
            table.add_row("" if position else str(row.line), escaped(problem.column), escaped(problem.reason))
    output().print(table)
