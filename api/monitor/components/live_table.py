"""Tables, and the frames in which they scroll sideways and fold."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final, Self

from nicegui import ui
from nicegui.element import Element

from api.monitor.components.text import Text
from api.monitor.format import count

FEW: Final = 5
MANY: Final = 10
"""How many rows of a table a phone shows at first: of one beside others, and of one that is the page."""


class MoreRows(Text):
    """The button under a table that is folded where the page is narrow: it shows all of its rows.

    Whatever is told later, a table that was unfolded stays so.
    """

    def __init__(self, table: Element, *, folded_to: int) -> None:
        """Makes it for the element that stands before it.

        Args:
            table: what is folded, by a class of the style sheet.
            folded_to: how many rows are shown at first, `FEW` or `MANY`.
        """
        super().__init__("button", classes="plain-button more-rows")
        self.props("type=button").on("click", self._unfold)
        self._table, self._most, self._unfolded = table, folded_to, False

    def tell(self, rows: int) -> None:
        """Tells how many rows there are."""
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
    """A frame in which a table that is too wide scrolls sideways, by the keyboard too."""

    def __init__(self, label: str, *, folded_to: int = FEW) -> None:
        """Makes an empty frame.

        Args:
            label: what the table shows, for those who do not see it.
            folded_to: how many rows are shown at first where the page is narrow.
        """
        super().__init__("div")
        self.classes("table-frame").props("tabindex=0 role=group")
        self.props["aria-label"] = label
        self.more = MoreRows(self, folded_to=folded_to)

    @contextmanager
    def table(self, columns: Sequence[str], *, stacking: bool = True) -> Generator[None]:
        """Makes the table anew; its rows are made inside the context.

        Args:
            columns: headings; those that end with `>` are of numbers, and stand at the right.
            stacking: whether each row becomes a small card where the page is narrow.
        """
        self.clear()
        with self, ui.element("table").classes("rows stacking" if stacking else "rows"):
            headings(columns)
            with ui.element("tbody") as body:
                yield
        self.more.tell(len(body.default_slot.children))

    def clear(self) -> Self:
        """Removes what is in the frame."""
        super().clear()
        self.more.tell(0)
        return self


def headings(columns: Sequence[str]) -> None:
    """The head of the table that is being made, of columns as `TableFrame.table` has them."""
    with ui.element("thead"), ui.element("tr"):
        for column in columns:
            right = "right" if column.endswith(">") else ""
            Text("th", column.rstrip(">"), classes=right).props("scope=col")


def card_title(text: str) -> Text:
    """The heading of the card that is being made."""
    with ui.element("div").classes("card-head"):
        return Text("h2", text)
