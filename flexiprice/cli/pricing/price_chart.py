"""Draws a price over time as a step chart of characters."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Protocol, cast

_HEIGHT = 16
_MOST_LABELS = 6
_FEW_DAYS = 4 * 24 * 3600


class _Signal(Protocol):
    def lines(self) -> "_Signal": ...


class _Ruler(Protocol):
    def ticks(self, positions: Sequence[float], labels: Sequence[str]) -> object: ...
    def lim(self, lower: float, upper: float) -> object: ...


class _Matrix(Protocol):
    def string(self, colorless: bool = ...) -> str: ...


class _Figure(Protocol):
    """The part of plotext's figure that is used here; the package itself is not typed."""

    def clear(self) -> object: ...
    def plot_size(self, width: int, height: int) -> object: ...
    def signal(self, x: Sequence[float], y: Sequence[float]) -> _Signal: ...
    def draw(self, signal: _Signal) -> object: ...
    def ruler(self, axis: str) -> _Ruler: ...
    def build(self) -> _Matrix: ...


def draw_steps(points: Sequence[tuple[datetime, Decimal]], *, until: datetime, width: int) -> str:
    """Returns the chart as lines of text.

    Args:
        points: each price with the instant from which it was in force, in order; at least one.
        until: the end of the last price's line.
        width: the width of the chart in characters.
    """
    # plotext has one figure for the whole module.
    figure = cast("_Figure", import_module("plotext").figure)
    figure.clear()
    figure.plot_size(width, _HEIGHT)
    ends = [*(moment for moment, _ in points[1:]), until]
    times = [
        moment.timestamp() for (start, _), end in zip(points, ends, strict=True) for moment in (start, end)
    ]
    # Prices are floats for drawing only.
    prices = [float(price) for _, price in points for _ in range(2)]
    figure.draw(figure.signal(times, prices).lines())
    _label_times(figure, times[0], times[-1])
    lowest, highest = min(prices), max(prices)
    margin = max((highest - lowest) * 0.1, highest * 0.02)
    figure.ruler("y").lim(lowest - margin, highest + margin)
    _label_prices(figure, sorted({price for _, price in points}))
    return figure.build().string(colorless=True)


def _label_times(figure: _Figure, first: float, last: float) -> None:
    form = "%d %b %H:%M" if last - first < _FEW_DAYS else "%d %b"
    positions = [first + (last - first) * step / (_MOST_LABELS - 1) for step in range(_MOST_LABELS)]
    labels = [format(datetime.fromtimestamp(position).astimezone(), form) for position in positions]
    figure.ruler("x").ticks(positions, labels)


def _label_prices(figure: _Figure, prices: Sequence[Decimal]) -> None:
    # Labels a few of many prices at equal distances by rank, including the lowest and the highest.
    count = min(len(prices), _MOST_LABELS)
    chosen = sorted({prices[round(rank * (len(prices) - 1) / max(count - 1, 1))] for rank in range(count)})
    figure.ruler("y").ticks([float(price) for price in chosen], [f"{price:,.2f}" for price in chosen])
