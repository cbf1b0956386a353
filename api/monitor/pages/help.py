"""The manual of the running version."""

import json
from itertools import groupby

from nicegui import ui

from api.monitor.components.links import Link, add_style_sheet
from api.monitor.components.manual import HELP, help_path, manual_html
from api.monitor.components.table_frame import card_title
from api.monitor.components.text import Text
from api.monitor.context import own_address
from api.monitor.layout import page
from flexiprice.docs.pages import INDEX, Page, all_pages, find_page, get_page, section_title

# The browser looks for the URL's anchor before the text is loaded.
_TO_ANCHOR = "document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView()"


@page(HELP, "Help")
async def contents() -> None:
    """Shows the index, and lists all pages."""
    _show(get_page(INDEX))


@page(f"{HELP}/{{topic:path}}", "Help", section=HELP)
async def topic(topic: str) -> None:
    """Shows one page."""
    found = find_page(topic)
    _name_window(f"{found.title} · Help")
    _show(found)


def _name_window(title: str) -> None:
    ui.page_title(f"{title} · FlexiPrice")
    # The status line sets the window's title, with its sign, as soon as the browser connects.
    ui.run_javascript(f"document.title = document.title.replace('Help', {json.dumps(title)})")


def _show(shown: Page) -> None:
    add_style_sheet("manual")
    with ui.element("div").classes("manual-columns"):
        with ui.element("section").classes("card manual"):
            # Markdown of this package; `manual_html` escapes HTML in it.
            ui.html(manual_html(shown, own_address), sanitize=False)
        with ui.element("section").classes("card manual-pages"):
            card_title("All pages")
            with ui.element("nav").props('aria-label="Pages of the manual"'):
                for section, pages in groupby(all_pages(), key=lambda each: each.section):
                    Text("h3", section_title(section))
                    for each in pages:
                        link = Link(help_path(each), each.title)
                        if each == shown:
                            link.props("aria-current=page")
    ui.run_javascript(_TO_ANCHOR)
