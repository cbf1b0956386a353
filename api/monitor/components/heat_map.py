"""Heat maps: tables whose cells are colored by value."""

from collections.abc import Mapping, Sequence

from nicegui import ui

from api.monitor.components.table_frame import FEW, TableFrame
from api.monitor.components.text import Text


class HeatMap(TableFrame):
    """A heat map, as a table that is readable without its colors."""

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
            label: accessible name.
            corner: heading of the first column.
            columns: headings of the other columns.
            rows: by heading: value, text and tooltip for each column.
            hottest: value of the strongest color.
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
        self.more.set_row_count(len(rows))


def _cell(warmth: float, text: str, hint: str) -> None:
    cell = Text("td", text, classes="right")
    if text:
        cell.style(f"--heat: {max(0.06, min(1.0, warmth)):.2f}").classes("warm")
        cell.props["title"] = hint
