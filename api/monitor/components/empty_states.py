"""What a page shows where it has nothing to show."""

from nicegui import ui
from nicegui.element import Element

from api.monitor.components.text import Text


class Placeholder(Element):
    """Stands where rows would be: why there are none, and what to do."""

    def __init__(self, title: str, advice: str = "", *, command: str = "", icon: str = "inbox") -> None:
        """Shows that nothing is there.

        Args:
            title: what is so, such as `No worker is running`.
            advice: what to do about it.
            command: what to type for that.
            icon: its sign.
        """
        super().__init__("div")
        self.classes("placeholder")
        with self:
            ui.icon(icon).props("aria-hidden=true")
            Text("strong", title)
            if advice:
                Text("span", advice)
            if command:
                Text("code", command)


class Failure(Element):
    """Stands where something could not be read, and says why; hidden where it could."""

    def __init__(self) -> None:
        super().__init__("div")
        self.classes("failure").props("role=alert")
        with self:
            ui.icon("error").props("aria-hidden=true")
            self._reason = Text("span")
        self.set_visibility(False)

    def show(self, reason: str | None) -> None:
        """Shows a reason, or nothing."""
        if reason is not None:
            self._reason.text = reason
        if self.visible != (reason is not None):
            self.set_visibility(reason is not None)
