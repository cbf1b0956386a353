"""Instants as the viewer's own clock shows them, and how long things take."""

from datetime import datetime
from typing import Literal

from nicegui import ui
from nicegui.element import Element

Mode = Literal["clock", "ago", "age", "in"]


class Instant(Element, component="instant.js"):
    """An instant in the viewer's time zone; the exact one in UTC is shown on hover.

    Ages and countdowns tick in the browser by themselves: only another instant has to be told.
    """

    def __init__(self, at: datetime | None, mode: Mode = "clock") -> None:
        """Shows an instant.

        Args:
            at: aware; None shows a dash.
            mode: the time of day, how long `ago`, the `age` alone, or the countdown `in`.
        """
        super().__init__()
        self._props["mode"] = mode
        self._props["at"] = _milliseconds(at)

    def show(self, at: datetime | None) -> None:
        """Shows another instant."""
        milliseconds = _milliseconds(at)
        if self._props["at"] != milliseconds:
            self._props["at"] = milliseconds
            self.update()


def tell_the_time(now: datetime) -> None:
    """Tells the browser the instant by the servers' clock, so that ages are right though its own is wrong."""
    milliseconds = _milliseconds(now)
    ui.add_head_html(f"<script>window.flexipriceClockOffset = {milliseconds} - Date.now();</script>")


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
