"""Table frames that scroll sideways and fold on narrow screens, and the cells of tables."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final, Self

from nicegui import ui
from nicegui.element import Element

from api.monitor.components.text import Text
from api.monitor.format import count

FEW: Final = 5
MANY: Final = 10
"""Rows of a folded table: of one among others (`FEW`), or of a page's main table (`MANY`)."""


class MoreRows(Text):
    """The button that unfolds a table on narrow screens. An unfolded table stays unfolded."""

    def __init__(self, table: Element, *, folded_to: int) -> None:
        """Creates the button for the preceding element.

        Args:
            table: the element to fold, by a CSS class.
            folded_to: number of rows while folded, `FEW` or `MANY`.
        """
        super().__init__("button", classes="plain-button more-rows")
        self.props("type=button").on("click", self._unfold)
        self._table, self._most, self._unfolded = table, folded_to, False

    def set_row_count(self, rows: int) -> None:
        """Sets the number of rows."""
        text = f"Show all {count(rows)}"
        if self.text != text:
            self.text = text
        self._fold(rows > self._most and not self._unfolded)

    def _fold(self, folded: bool) -> None:
        name = f"folded-{self._most}"
        if folded != (name in self._table.classes):
            self._table.classes(add=name if folded else "", remove="" if folded else name)

    def _unfold(self) -> None:
        self._unfolded = True
        self._fold(folded=False)


class TableFrame(Element):
    """A frame in which a wide table scrolls sideways, also by keyboard."""

    def __init__(self, label: str, *, folded_to: int = FEW) -> None:
        """Creates an empty frame.

        Args:
            label: accessible name of the table.
            folded_to: number of rows on narrow screens before the user unfolds the table.
        """
        super().__init__("div")
        self.classes("table-frame").props("tabindex=0 role=group")
        self.props["aria-label"] = label
        self.more = MoreRows(self, folded_to=folded_to)

    @contextmanager
    def table(self, columns: Sequence[str], *, stacking: bool = True) -> Generator[None]:
        """Replaces the table; rows are created inside the context.

        Args:
            columns: headings; a heading that ends with `>` is right-aligned, for numbers.
            stacking: whether each row is a card on narrow screens.
        """
        self.clear()
        with self, ui.element("table").classes("rows stacking" if stacking else "rows"):
            headings(columns)
            with ui.element("tbody") as body:
                yield
        self.more.set_row_count(len(body.default_slot.children))

    def clear(self) -> Self:
        """Removes the content of the frame."""
        super().clear()
        self.more.set_row_count(0)
        return self


def headings(columns: Sequence[str]) -> None:
    """Creates the head of the current table, with columns as in `TableFrame.table`."""
    with ui.element("thead"), ui.element("tr"):
        for column in columns:
            right = "right" if column.endswith(">") else ""
            Text("th", column.rstrip(">"), classes=right).props("scope=col")


def card_title(text: str) -> Text:
    """Creates the heading of the current card."""
    with ui.element("div").classes("card-head"):
        return Text("h2", text)


@contextmanager
def cell(name: str = "", classes: str = "") -> Generator[Element]:
    """Creates a cell of the current row; its content is created inside the context.

    Args:
        name: heading of its column, shown before it on narrow screens.
        classes: CSS classes.
    """
    with ui.element("td").classes(classes) as element:
        if name:
            element.props(f'data-name="{name}"')
        yield element


def text_cell(name: str = "", classes: str = "") -> Text:
    """Creates a cell that holds only a text."""
    text = Text("td", classes=classes)
    if name:
        text.props(f'data-name="{name}"')
    return text


def number_cell(name: str) -> Text:
    """Creates a cell that holds only a number."""
    return text_cell(name, "right nowrap")
