"""A table whose cells are the warmer the more they hold; the numbers stand in them."""

from collections.abc import Mapping, Sequence

from nicegui import ui

from api.monitor.components.live_table import FEW, TableFrame
from api.monitor.components.text import Text


class HeatMap(TableFrame):
    """A heat map, as a table that can be read without its colours."""

    def __init__(
        self,
        label: str,
        corner: str,
        columns: Sequence[str],
        rows: Mapping[str, Sequence[tuple[float, str, str]]],
        *,
        hottest: float,
    ) -> None:
        """Shows a heat map.

        Args:
            label: what the table shows, for those who do not see it.
            corner: what the rows are.
            columns: headings.
            rows: by heading: for each column how warm it is, what it says, and what it says on hover.
            hottest: what is as warm as can be.
        """
        super().__init__(label, folded_to=FEW)
        with self, ui.element("table").classes("rows heat-map"):
            with ui.element("thead"), ui.element("tr"):
                Text("th", corner).props("scope=col")
                for column in columns:
                    Text("th", column, classes="right").props("scope=col")
            with ui.element("tbody"):
                for heading, cells in rows.items():
                    with ui.element("tr"):
                        Text("th", heading).props("scope=row")
                        for warmth, text, hint in cells:
                            _cell(warmth / hottest if hottest else 0.0, text, hint)
        self.more.tell(len(rows))


def _cell(warmth: float, text: str, hint: str) -> None:
    cell = Text("td", text, classes="right")
    if text:
        cell.style(f"--heat: {max(0.06, min(1.0, warmth)):.2f}").classes("warm")
        cell.props["title"] = hint
