"""Links, forms and buttons."""

from collections.abc import Awaitable, Callable
from typing import Literal
from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element

from api.monitor.components.text import Text
from api.monitor.context import own_address


class Link(Element):
    """A link to a page of the monitor; elements created inside it are its content."""

    def __init__(self, path: str, text: str = "", *, classes: str = "") -> None:
        """Creates a link.

        Args:
            path: path and query, percent-encoded.
            text: its text; empty if its content is created inside it.
            classes: CSS classes.
        """
        super().__init__("a")
        self.classes(classes)
        self.set_path(path)
        if text:
            with self:
                Text("span", text)

    def set_path(self, path: str) -> None:
        """Changes the target."""
        # Not as a string of properties, which a quote in an id would break.
        address = own_address(path)
        if self.props.get("href") != address:
            self.props["href"] = address
            self.update()


class Form(Element):
    """A form that the browser submits to a page of the monitor; elements created inside it are its fields."""

    def __init__(self, path: str, *, method: Literal["get", "post"] = "get", classes: str = "") -> None:
        """Creates a form; `classes` are CSS classes."""
        super().__init__("form")
        self.classes(classes)
        self.props["method"] = method
        self.props["action"] = own_address(path)


def add_style_sheet(name: str) -> None:
    """Adds a style sheet of the monitor to the current page."""
    address = own_address(f"/assets/{name}.css")
    ui.add_head_html(f'<link rel="stylesheet" href="{address}">')


def job_path(job_id: str) -> str:
    """Returns the path of a job's page."""
    return f"/tasks/{quote(job_id, safe=':')}"


def small_button(label: str, about: str, do: Callable[[], Awaitable[None]] | None = None) -> ui.button:
    """Creates a small button.

    Args:
        label: its text.
        about: its target, for the accessible name.
        do: called on a click; None if the browser handles it.
    """
    button = ui.button(label, on_click=do).props("outline no-caps dense padding='2px 10px'")
    button.props["aria-label"] = f"{label}: {about}"
    return button
