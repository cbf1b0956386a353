"""Status badges: an icon, a word and a color, so that no information depends on color alone."""

from enum import Enum

from nicegui import ui
from nicegui.element import Element

from api.monitor.status_style import status_style


class Badge(Element):
    """The badge of a status."""

    def __init__(self, status: Enum | str) -> None:
        """Shows a status by its value."""
        super().__init__("span")
        with self:
            self._icon = ui.icon("").props("aria-hidden=true")
            self._word = ui.label()
        self._status = ""
        self.show(status)

    def show(self, status: Enum | str) -> None:
        """Shows another status."""
        value = str(status.value) if isinstance(status, Enum) else status
        if value == self._status:
            return
        self._status = value
        icon, tone = status_style(value)
        self._icon.name = icon
        self._word.text = value.replace("_", " ")
        self.classes(replace=f"badge tone-{tone}")
