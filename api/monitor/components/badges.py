"""How something stands: a sign, a word and a colour, so that none of them is needed alone."""

from enum import Enum

from nicegui import ui
from nicegui.element import Element

from api.monitor.status_looks import look


class Badge(Element):
    """A state's badge."""

    def __init__(self, state: Enum | str) -> None:
        """Shows a state by its value."""
        super().__init__("span")
        with self:
            self._icon = ui.icon("").props("aria-hidden=true")
            self._word = ui.label()
        self._state = ""
        self.show(state)

    def show(self, state: Enum | str) -> None:
        """Shows another state."""
        value = str(state.value) if isinstance(state, Enum) else state
        if value == self._state:
            return
        self._state = value
        icon, tone = look(value)
        self._icon.name = icon
        self._word.text = value.replace("_", " ")
        self.classes(replace=f"badge tone-{tone}")
