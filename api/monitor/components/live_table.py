"""Tables whose rows are updated in place while a page is open."""

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from nicegui import ui
from nicegui.element import Element

from api.monitor.components.table_frame import FEW, TableFrame, headings

Item = TypeVar("Item")
MakeRow = Callable[[Item], Callable[[Item], None]]


class LiveTable(TableFrame, Generic[Item]):
    """A table that adds, updates and removes rows by key; on narrow screens each row is a card."""

    def __init__(
        self,
        label: str,
        columns: Sequence[str],
        make_row: MakeRow[Item],
        empty: Callable[[], Element],
        *,
        folded_to: int = FEW,
    ) -> None:
        """Creates an empty table.

        Args:
            label: accessible name.
            columns: headings; a heading that ends with `>` is right-aligned, for numbers.
            make_row: creates the cells of an item's row, and returns a function that updates them.
            empty: creates the placeholder that is shown without rows.
            folded_to: number of rows on narrow screens before the user unfolds the table.
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
        """Shows items by key, in the order of the mapping."""
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
        self.more.set_row_count(len(items))
        if self._table.visible != bool(items):
            self._table.set_visibility(bool(items))
            self._empty.set_visibility(not items)
