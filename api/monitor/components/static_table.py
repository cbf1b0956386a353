"""Tables of few rows that change all the time: each row is made once, and then told what is new."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from nicegui import ui
from nicegui.element import Element

from api.monitor.components.live_table import FEW, TableFrame, headings
from api.monitor.components.text import Text

Item = TypeVar("Item")
MakeRow = Callable[[Item], Callable[[Item], None]]


class Rows(TableFrame, Generic[Item]):
    """A table whose rows come, change and go with what they show; narrow, each row becomes a small card."""

    def __init__(
        self,
        label: str,
        columns: Sequence[str],
        make_row: MakeRow[Item],
        empty: Callable[[], Element],
        *,
        folded_to: int = FEW,
    ) -> None:
        """Makes an empty table.

        Args:
            label: what the table shows, for those who do not see it.
            columns: headings; those that end with `>` are of numbers, and stand at the right.
            make_row: makes the cells of a row for an item, by `cell`, and returns what updates them.
            empty: makes what stands there while there are no rows.
            folded_to: how many rows are shown at first where the page is narrow.
        """
        super().__init__(label, folded_to=folded_to)
        self._make_row = make_row
        self._shown: dict[str, tuple[Element, Callable[[Item], None]]] = {}
        with self:
            self._table = ui.element("table").classes("rows stacking")
            with self._table:
                headings(columns)
                self._body = ui.element("tbody")
            self._empty = empty()
        self._table.set_visibility(False)

    def show(self, items: Mapping[str, Item]) -> None:
        """Shows items by their keys, in their order."""
        for key in [key for key in self._shown if key not in items]:
            row, _ = self._shown.pop(key)
            row.delete()
        for key, item in items.items():
            if key in self._shown:
                self._shown[key][1](item)
            else:
                with self._body, ui.element("tr") as row:
                    self._shown[key] = (row, self._make_row(item))
        if list(self._shown) != list(items):
            self._shown = {key: self._shown[key] for key in items}
            for index, (row, _) in enumerate(self._shown.values()):
                row.move(target_index=index)
        self.more.tell(len(items))
        if self._table.visible != bool(items):
            self._table.set_visibility(bool(items))
            self._empty.set_visibility(not items)


@contextmanager
def cell(name: str = "", classes: str = "") -> Generator[Element]:
    """A cell of the row that is being made.

    Args:
        name: of its column, shown before it where the table is narrow.
        classes: of the style sheet.
    """
    with ui.element("td").classes(classes) as element:
        if name:
            element.props(f'data-name="{name}"')
        yield element


def text_cell(name: str = "", classes: str = "") -> Text:
    """A cell that holds but a text."""
    text = Text("td", classes=classes)
    if name:
        text.props(f'data-name="{name}"')
    return text


def number_cell(name: str) -> Text:
    """A cell that holds but a number."""
    return text_cell(name, "right nowrap")
