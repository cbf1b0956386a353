"""Instants in the browser's time zone, and live ages and countdowns."""

from datetime import datetime
from typing import Literal

from nicegui import ui
from nicegui.element import Element

Mode = Literal["clock", "ago", "age", "in"]


class Instant(Element, component="instant.js"):
    """An instant in the browser's time zone, with the exact instant in UTC as its tooltip.

    Ages and countdowns are updated in the browser; the server sends only new instants.
    """

    def __init__(self, at: datetime | None, mode: Mode = "clock") -> None:
        """Shows an instant.

        Args:
            at: an aware instant; None shows a dash.
            mode: `clock` for date and time, `ago` or `age` for its age, `in` for a countdown.
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


def add_server_clock(now: datetime) -> None:
    """Sends the servers' current instant to the browser, so that ages are right if its clock is wrong."""
    milliseconds = _milliseconds(now)
    ui.add_head_html(f"<script>window.flexipriceClockOffset = {milliseconds} - Date.now();</script>")


def _milliseconds(at: datetime | None) -> int | None:
    return None if at is None else round(at.timestamp() * 1000)
