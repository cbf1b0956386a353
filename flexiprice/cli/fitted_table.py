"""Lays out a table with one line a row: shortens texts and drops less important columns."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from flexiprice.cli.terminal import printable

_GAP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedColumn:
    """A column, and how it shrinks in a narrow terminal.

    Attributes:
        heading: the text above the column.
        number: whether its cells are right-aligned.
        shortest: the fewest characters its texts may be cut to; None never cuts them.
        readable: the fewest characters its texts are cut to before a spare column is dropped.
        spare: whether the column is dropped before the texts of others are cut below `readable`.
        dropped: its place in the order of dropping, the lowest number first; None never drops it.
        style: the rich style of its cells.
    """

    heading: str
    number: bool = False
    shortest: int | None = None
    readable: int = 0
    spare: bool = False
    dropped: int | None = None
    style: str = ""


def fitted_table(
    columns: Sequence[FittedColumn],
    rows: Sequence[Sequence[str | Text]],
    *,
    width: int,
    title: str | None = None,
) -> Table:
    """Returns a table with one line a row, at most `width` wide where its columns can shrink enough.

    Empty columns are dropped.

    Args:
        columns: the columns, from the left.
        rows: the cells; markup in them is not interpreted.
        width: the width of the terminal in characters.
        title: the text above the table.
    """
    cells = [[_one_line(cell) for cell in row] for row in rows]
    longest = [max((row[place].cell_len for row in cells), default=0) for place in range(len(columns))]
    wanted = [
        max(needed, cell_len(column.heading)) if needed else 0
        for needed, column in zip(longest, columns, strict=True)
    ]
    kept = _kept(columns, wanted, width)
    widths = _shortened(columns, wanted, kept, width)
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    # The box adds one space between two columns.
    table.padding = (0, _GAP - 1, 0, 0)
    for place in kept:
        table.add_column(
            Text(columns[place].heading),
            justify="right" if columns[place].number else "left",
            style=columns[place].style,
            width=widths[place],
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in cells:
        table.add_row(*(row[place] for place in kept))
    return table


def _one_line(cell: str | Text) -> Text:
    return cell if isinstance(cell, Text) else Text(" ".join(printable(cell).split()))


def _kept(columns: Sequence[FittedColumn], wanted: Sequence[int], width: int) -> list[int]:
    """Returns the indices of the columns that fit once their texts are as short as allowed."""
    kept = [place for place, need in enumerate(wanted) if need]
    order = sorted((columns[place].dropped or 0, place) for place in kept)
    for _, place in order:
        column = columns[place]
        room = _total([_least(columns[each], wanted[each], spare=column.spare) for each in kept])
        if column.dropped is not None and room > width:
            kept.remove(place)
    return kept


def _least(column: FittedColumn, wanted: int, *, spare: bool) -> int:
    if column.shortest is None:
        return wanted
    return min(wanted, max(column.readable if spare else column.shortest, cell_len(column.heading)))


def _shortened(
    columns: Sequence[FittedColumn], wanted: Sequence[int], kept: Sequence[int], width: int
) -> dict[int, int]:
    """Returns the width of each column; shortens the widest text, character by character, until all fit."""
    widths = {place: wanted[place] for place in kept}
    floors = {
        place: max(shortest, cell_len(columns[place].heading))
        for place in kept
        if (shortest := columns[place].shortest) is not None
    }
    while _total(list(widths.values())) > width:
        longer = [place for place, floor in floors.items() if widths[place] > floor]
        if not longer:
            break
        widths[max(longer, key=lambda place: widths[place])] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)
