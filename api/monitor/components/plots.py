"""Charts with other axes than the last minutes: days, durations, prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Final, Literal

from nicegui import ui

from api.monitor.components.charts import FONT, GRID, LEGEND, QUIET, TOOLTIP, is_single_value

_TEXT: Final = {"color": QUIET, "fontSize": 11}
# Formats an instant; the inner expression chooses time, or date and time.
_LABEL: Final = """value => { const at = new Date(+value);
  const clock = at.toLocaleTimeString('en-GB', {hour: '2-digit', minute: '2-digit'});
  const day = at.toLocaleDateString('en-GB', {day: 'numeric', month: 'short'});
  return %s; }"""
# ECharts inserts it as HTML; `_series` escapes every note.
_NOTE: Final = "point => point.data.note || ''"


@dataclass(frozen=True, slots=True)
class Curve:
    """A series of a chart.

    Attributes:
        name: name in the legend.
        colour: CSS color; None leaves the choice to the chart.
        kind: bars are stacked; a step holds its value until the next point if there are notes, and is
            centered on its point if not.
        points: one value for each category of the axis, or pairs of instant and value.
        dashed: distinguishes it from others not by color alone.
        notes: tooltip of each point, as text; empty if there are none.
    """

    name: str
    colour: str | None
    kind: Literal["line", "bar", "step"]
    points: Sequence[Any]
    dashed: bool = False
    notes: Sequence[str] = ()


class Plot(ui.echart):
    """A chart of curves."""

    def __init__(
        self, *, label: str, height: int = 220, unit: str = "", percent: bool = False, has_notes: bool = False
    ) -> None:
        """Shows an empty chart.

        Args:
            label: accessible name.
            height: height in pixels.
            unit: unit of all values, such as ` s`.
            percent: whether values are fractions, shown as percentages.
            has_notes: whether the tooltip of a point is its note.
        """
        self._shown: object = None
        self._base = _base(unit, percent=percent)
        if has_notes:
            self._base["tooltip"] |= {"trigger": "item", ":formatter": _NOTE}
        super().__init__(self._base | {"series": []})
        self.classes("plot").style(f"height: {height}px; width: 100%").props(f'role=img aria-label="{label}"')

    def show(self, curves: Sequence[Curve], *, x_axis: dict[str, Any]) -> None:
        """Shows curves over an axis made by `category_axis`, `instant_axis` or `time_axis`."""
        shown = (tuple(curves), x_axis)
        if shown == self._shown:
            return
        self._shown = shown
        options: dict[str, Any] = self._base | {"xAxis": x_axis, "series": [_series(each) for each in curves]}
        options["legend"]["show"] = len(curves) > 1
        options["grid"]["top"] = 30 if len(curves) > 1 else 8
        self.options.clear()
        self.options.update(options)
        self.update()


def category_axis(texts: Sequence[str], *, bars: bool = True) -> dict[str, Any]:
    """Returns an axis of named categories."""
    return _axis("category", bars=bars) | {"data": list(texts)}


def instant_axis(at: Sequence[datetime], *, days: bool) -> dict[str, Any]:
    """Returns an axis of equidistant instants in the browser's time zone.

    Args:
        at: the instants.
        days: whether labels include the date.
    """
    axis = _axis("category", bars=True)
    axis["data"] = [round(instant.timestamp() * 1000) for instant in at]
    axis["axisLabel"] |= {":formatter": _LABEL % ("`${day} ${clock}`" if days else "clock")}
    axis["axisPointer"] = {"label": {":formatter": f"({{value}}) => ({_LABEL % '`${day} ${clock}`'})(value)"}}
    return axis


def time_axis(since: datetime, until: datetime) -> dict[str, Any]:
    """Returns a continuous time axis in the browser's time zone; its values are epoch milliseconds."""
    begin, end = (round(instant.timestamp() * 1000) for instant in (since, until))
    return _axis("time", bars=False) | {"min": begin, "max": end}


def _axis(kind: str, *, bars: bool) -> dict[str, Any]:
    return {
        "type": kind,
        "boundaryGap": bars,
        "axisLine": {"lineStyle": {"color": GRID}},
        "axisTick": {"show": False},
        "axisLabel": {**_TEXT, "hideOverlap": True},
        "splitLine": {"show": False},
    }


def _base(unit: str, *, percent: bool) -> dict[str, Any]:
    number = "(+(value * 100).toFixed(1)) + ' %'" if percent else f"(+value.toFixed(3)) + '{unit}'"
    return {
        "animation": False,
        "textStyle": FONT,
        "grid": {"left": 4, "right": 12, "top": 30, "bottom": 2, "containLabel": True},
        "legend": dict(LEGEND),
        "tooltip": {
            **TOOLTIP,
            ":valueFormatter": f"value => value == null ? '–' : {number}",
        },
        "yAxis": {
            "type": "value",
            "min": 0,
            "minInterval": 0 if unit or percent else 1,
            "splitNumber": 4,
            "splitLine": {"lineStyle": {"color": GRID}},
            "axisLabel": {**_TEXT, ":formatter": f"value => {number}"},
        },
        "xAxis": _axis("category", bars=True) | {"data": []},
    }


def _series(curve: Curve) -> dict[str, Any]:
    points: list[Any] = list(curve.points)
    if curve.notes:
        points = [
            {"value": point, "note": escape(note), "symbol": "circle" if note else "none"}
            for point, note in zip(points, curve.notes, strict=True)
        ]
    series: dict[str, Any] = {
        "name": curve.name,
        "type": "bar" if curve.kind == "bar" else "line",
        "data": points,
        "emphasis": {"disabled": True},
    }
    if curve.colour is not None:
        series["color"] = curve.colour
    if curve.kind == "bar":
        return {**series, "stack": "all", "barCategoryGap": "12%"}
    line: dict[str, Any] = {"width": 2}
    if curve.dashed:
        line["type"] = "dashed"
    # A single value makes no line, and would be invisible without a symbol.
    series |= {
        "showSymbol": is_single_value(points),
        # Also at points without an axis label.
        "showAllSymbol": True,
        "symbol": "circle",
        "symbolSize": 7,
        "connectNulls": True,
        "lineStyle": line,
    }
    if curve.kind == "step":
        series |= {"step": "end" if curve.notes else "middle", "showSymbol": bool(curve.notes)}
    return series
