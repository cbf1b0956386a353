"""Code blocks of arguments, results and tracebacks."""

import json

from nicegui import ui
from nicegui.element import Element

from api.monitor.components.text import Text


class CodeBlock(Element):
    """Preformatted text, or a value as JSON, in a frame that scrolls."""

    def __init__(self, value: object, *, label: str, empty: str = "") -> None:
        """Shows a value.

        Args:
            value: text is shown as it is, anything else as JSON.
            label: accessible name.
            empty: text shown instead of None or an empty value.
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
                # Focusable, so that the keyboard can scroll it.
                Text("pre", text).props(f'tabindex=0 role=region aria-label="{label}"')
