"""Charts of the last minutes that are updated while a page is open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, cast

from nicegui import ui

# Readable on light and dark backgrounds, so that charts do not depend on the theme.
QUIET: Final = "#737c87"
GRID: Final = "rgba(128, 138, 150, 0.22)"
GOOD: Final = "#2e9e5b"
BAD: Final = "#e5484d"
WARNING: Final = "#d9920a"
ACTIVE: Final = "#3b82f6"
ACCENT: Final = "#14a394"
VIOLET: Final = "#8e6fdb"
FONT: Final = {"fontFamily": "Roboto, system-ui, sans-serif"}
LEGEND: Final = {
    # Scrolls if it is too narrow for all names, which would otherwise cover the chart.
    "type": "scroll",
    "pageTextStyle": {"color": QUIET},
    "left": 0,
    "top": 0,
    "itemWidth": 14,
    # As high as its text, which scrolling would otherwise cut off.
    "itemHeight": 13,
    "itemGap": 14,
    "textStyle": {"color": QUIET, "fontSize": 12},
}
TOOLTIP: Final = {
    "trigger": "axis",
    "confine": True,
    "transitionDuration": 0,
    "backgroundColor": "#1f252c",
    "borderWidth": 0,
    "textStyle": {"color": "#f0f2f4", "fontSize": 12},
    "axisPointer": {"type": "line", "label": {"show": False}},
}
_CLOCK: Final = "new Date(+value).toLocaleTimeString('en-GB', {hour: '2-digit', minute: '2-digit'%s})"


@dataclass(frozen=True, slots=True)
class Line:
    """A series of a chart.

    Attributes:
        name: name in the legend.
        colour: CSS color.
        kind: how it is drawn; bars are stacked.
        dashed: distinguishes it from others not by color alone.
    """

    name: str
    colour: str
    kind: Literal["line", "bar", "area"] = "line"
    dashed: bool = False


class TimeChart(ui.echart):
    """A chart of figures over the last minutes, in the browser's time zone."""

    def __init__(self, lines: Sequence[Line], *, label: str, unit: str = "", height: int = 200) -> None:
        """Shows an empty chart.

        Args:
            lines: the series.
            label: accessible name.
            unit: unit of all values, such as ` s`.
            height: height in pixels.
        """
        super().__init__(_options(lines, unit))
        self._shown: list[object] = []
        self.classes("time-chart").style(f"height: {height}px; width: 100%").props(
            f'role=img aria-label="{label}"'
        )

    def show(self, at: Sequence[datetime], values: Sequence[Sequence[float | None]]) -> None:
        """Shows other values.

        Args:
            at: instants, the oldest first.
            values: for each line, its value at each instant.
        """
        shown: list[object] = [list(at), [list(line) for line in values]]
        if shown == self._shown:
            return
        self._shown = shown
        options = cast("dict[str, Any]", self.options)
        options["xAxis"]["data"] = [round(instant.timestamp() * 1000) for instant in at]
        for series, of_line in zip(options["series"], values, strict=True):
            series["data"] = list(of_line)
            if series["type"] == "line":
                series["showSymbol"] = is_single_value(of_line)
        self.update()


def is_single_value(values: Sequence[object]) -> bool:
    """Returns whether there is only one value, which must be drawn as a point."""
    return sum(value is not None for value in values) == 1


def _options(lines: Sequence[Line], unit: str) -> dict[str, Any]:
    text = {"color": QUIET, "fontSize": 11}
    return {
        "animation": False,
        "textStyle": FONT,
        "grid": {"left": 4, "right": 8, "top": 30, "bottom": 2, "containLabel": True},
        "legend": {
            "show": len(lines) > 1,
            **LEGEND,
        },
        "tooltip": {
            **TOOLTIP,
            ":valueFormatter": f"value => value == null ? '–' : (+value.toFixed(3)) + '{unit}'",
        },
        "xAxis": {
            "type": "category",
            "boundaryGap": any(line.kind == "bar" for line in lines),
            "data": [],
            "axisLine": {"lineStyle": {"color": GRID}},
            "axisTick": {"show": False},
            "axisLabel": {**text, "hideOverlap": True, ":formatter": f"value => {_CLOCK % ''}"},
            "axisPointer": {"label": {":formatter": f"({{value}}) => {_CLOCK % _SECONDS}"}},
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "minInterval": 0 if unit else 1,
            "splitNumber": 3,
            "splitLine": {"lineStyle": {"color": GRID}},
            "axisLabel": {**text, "formatter": "{value}" + unit},
        },
        "series": [_series(line) for line in lines],
    }


_SECONDS: Final = ", second: '2-digit'"


def _series(line: Line) -> dict[str, Any]:
    series: dict[str, Any] = {
        "name": line.name,
        "type": "bar" if line.kind == "bar" else "line",
        "color": line.colour,
        "data": [],
        "emphasis": {"disabled": True},
    }
    if line.kind == "bar":
        return {**series, "stack": "all", "barCategoryGap": "15%"}
    series |= {
        "showSymbol": False,
        "showAllSymbol": True,
        "symbol": "circle",
        "connectNulls": True,
        "lineStyle": {"width": 2},
    }
    if line.dashed:
        series["lineStyle"]["type"] = "dashed"
    if line.kind == "area":
        series["areaStyle"] = {"opacity": 0.15}
    return series
