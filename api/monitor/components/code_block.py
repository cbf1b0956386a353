"""Arguments, results and tracebacks, as text that can be read and copied."""

import json

from nicegui import ui
from nicegui.element import Element

from api.monitor.components.text import Text


class Document(Element):
    """A text in the shape in which it was written, or a value as JSON; long ones scroll in their frame."""

    def __init__(self, value: object, *, label: str, empty: str = "") -> None:
        """Shows a document.

        Args:
            value: a text as it is, anything else as JSON; None and nothing are `empty`.
            label: what it is, for those who do not see it.
            empty: what stands there instead of nothing.
        """
        super().__init__("div")
        with self:
            if value is None or value in ("", {}):
                Text("p", empty, classes="quiet")
                return
            text = (
                value
                if isinstance(value, str)
                else json.dumps(value, indent=2, ensure_ascii=False, default=str)
            )
            with ui.element("div").classes("document"):
                # Reachable by keyboard, because it may have to be scrolled.
                Text("pre", text).props(f'tabindex=0 role=region aria-label="{label}"')
