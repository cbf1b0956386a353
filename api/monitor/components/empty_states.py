"""Placeholders for empty lists, and failure messages."""

from nicegui import ui
from nicegui.element import Element

from api.monitor.components.text import Text


class Placeholder(Element):
    """A placeholder for an empty list, with advice."""

    def __init__(self, title: str, advice: str = "", *, command: str = "", icon: str = "inbox") -> None:
        """Shows a placeholder.

        Args:
            title: the reason, such as `No worker is running`.
            advice: what to do about it.
            command: a shell command to run.
            icon: name of the icon.
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
    """A message that a read has failed; hidden otherwise."""

    def __init__(self) -> None:
        super().__init__("div")
        self.classes("failure").props("role=alert")
        with self:
            ui.icon("error").props("aria-hidden=true")
            self._reason = Text("span")
        self.set_visibility(False)

    def show(self, reason: str | None) -> None:
        """Shows a reason; None hides the message."""
        if reason is not None:
            self._reason.text = reason
        if self.visible != (reason is not None):
            self.set_visibility(reason is not None)
