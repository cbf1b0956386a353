"""Links, forms and buttons."""

from collections.abc import Awaitable, Callable
from typing import Literal
from urllib.parse import quote

from nicegui import ui
from nicegui.element import Element

from api.monitor.components.text import Text
from api.monitor.context import own_address


class Link(Element):
    """A link to another page of ours; what is made inside it is what it shows."""

    def __init__(self, path: str, text: str = "", *, classes: str = "") -> None:
        """Makes a link.

        Args:
            path: with its query; quoted where it must be.
            text: what it shows, where that is but a text.
            classes: of the style sheet.
        """
        super().__init__("a")
        self.classes(classes)
        self.lead_to(path)
        if text:
            with self:
                Text("span", text)

    def lead_to(self, path: str) -> None:
        """Makes it lead elsewhere."""
        # Not by a string of properties, which a quote in an id would break.
        address = own_address(path)
        if self.props.get("href") != address:
            self.props["href"] = address
            self.update()


class Form(Element):
    """A form that the browser sends to a page of ours; what is made inside it are its fields."""

    def __init__(self, path: str, *, method: Literal["get", "post"] = "get", classes: str = "") -> None:
        """Makes a form; `classes` are of the style sheet."""
        super().__init__("form")
        self.classes(classes)
        self.props["method"] = method
        self.props["action"] = own_address(path)


def add_style_sheet(name: str) -> None:
    """Has the page that is being built use a style sheet of ours."""
    address = own_address(f"/assets/{name}.css")
    ui.add_head_html(f'<link rel="stylesheet" href="{address}">')


def job_path(job_id: str) -> str:
    """Where the page of a job is."""
    return f"/tasks/{quote(job_id, safe=':')}"


def small_button(label: str, about: str, do: Callable[[], Awaitable[None]]) -> ui.button:
    """A button beside what it acts on.

    Args:
        label: what it says.
        about: what it acts on, for those who only hear it.
        do: acts.
    """
    button = ui.button(label, on_click=do).props("outline no-caps dense padding='2px 10px'")
    button.props["aria-label"] = f"{label}: {about}"
    return button
