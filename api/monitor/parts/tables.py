"""Tables that are made anew when what they show has changed."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from nicegui import ui

from api.monitor.parts.text import Text


class TableFrame(ui.element):
    """A frame in which a table that is too wide scrolls sideways, by the keyboard too."""

    def __init__(self) -> None:
        super().__init__("div")
        self.classes("table-frame").props("tabindex=0 role=group aria-label=Table")


@contextmanager
def table(columns: Sequence[str], *, stacking: bool = True) -> Generator[None]:
    """A table whose rows are made inside the context.

    Args:
        columns: headings; those that end with `>` are of numbers, and stand at the right.
        stacking: whether each row becomes a small card where the page is narrow.
    """
    with ui.element("table").classes("rows stacking" if stacking else "rows"):
        with ui.element("thead"), ui.element("tr"):
            for column in columns:
                right = "right" if column.endswith(">") else ""
                Text("th", column.rstrip(">"), classes=right).props("scope=col")
        with ui.element("tbody"):
            yield


def card_title(text: str) -> Text:
    """The heading of the card that is being made."""
    with ui.element("div").classes("card-head"):
        return Text("h2", text)
