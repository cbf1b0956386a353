"""How something stands: a sign, a word and a colour, so that none of them is needed alone."""

from enum import Enum
from typing import Final

from nicegui import ui
from nicegui.element import Element

# What any of our enums may say: sign and colour.
_LOOKS: Final = {
    "succeeded": ("check_circle", "good"),
    "running": ("play_circle", "active"),
    "done": ("check_circle", "good"),
    "refused": ("block", "warning"),
    "queued": ("schedule", "quiet"),
    "deferred": ("update", "quiet"),
    "retrying": ("replay", "warning"),
    "failed": ("cancel", "bad"),
    "revoked": ("block", "quiet"),
    "lost": ("heart_broken", "bad"),
    "handed_back": ("undo", "quiet"),
    "draining": ("hourglass_bottom", "warning"),
    "paused": ("pause_circle", "warning"),
    "open": ("check_circle", "good"),
    "no worker": ("error", "bad"),
    "late": ("alarm", "bad"),
    "on time": ("check_circle", "good"),
    "never": ("remove", "quiet"),
}


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


def look(state: str) -> tuple[str, str]:
    """Sign and tone of a state by its value; the tone is `good`, `active`, `warning`, `bad` or `quiet`."""
    return _LOOKS.get(state, ("help", "quiet"))
