"""Converts pages of the manual to HTML, with links to the monitor's own pages. HTML in a page is escaped."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from flexiprice.docs.links import anchor_of, resolve, resolve_image
from flexiprice.docs.pages import Page

HELP: Final = "/help"
# HTML is shown as text, and links by `javascript:` and the like are not rendered as links.
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
# Scrollable elements must be focusable, so that the keyboard can scroll them.
_SCROLL_ATTRIBUTES: Final = 'tabindex="0" role="group"'


def help_path(page: Page) -> str:
    """Returns the monitor's path of a page."""
    return f"{HELP}/{page.path}"


def manual_html(page: Page, address: Callable[[str], str]) -> str:
    """Returns the page as HTML.

    Args:
        page: the page; its headings move one level down, below the heading of the monitor's page.
        address: returns the URL of a path of the monitor.
    """
    tokens = _MARKDOWN.parse(page.text)
    seen: dict[str, int] = {}
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            anchor = anchor_of(following.content)
            seen[anchor] = number = seen.get(anchor, -1) + 1
            token.attrSet("id", f"{anchor}-{number}" if number else anchor)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        for child in token.children or ():
            _resolve_link(page, child, address)
    html: str = _MARKDOWN.renderer.render(list(_wrap_scrollable(tokens)), _MARKDOWN.options, {})
    return html


def _resolve_link(page: Page, token: Token, address: Callable[[str], str]) -> None:
    if token.type == "link_open":
        link = resolve(page, str(token.attrGet("href")))
        if link is not None:
            token.attrSet("href", address(f"{HELP}/{link.path}") + (f"#{link.anchor}" if link.anchor else ""))
    elif token.type == "image":
        image = resolve_image(page, str(token.attrGet("src")))
        if image is not None:
            token.attrSet("src", address(f"{HELP}/{image}"))


def _wrap_scrollable(tokens: Sequence[Token]) -> Iterable[Token]:
    for token in tokens:
        if token.type == "table_open":
            yield _html_block(f'<div class="table-frame" {_SCROLL_ATTRIBUTES} aria-label="Table">')
        if token.type in {"fence", "code_block"}:
            yield _html_block(f'<div class="document" {_SCROLL_ATTRIBUTES} aria-label="Code">')
        yield token
        if token.type in {"table_close", "fence", "code_block"}:
            yield _html_block("</div>")


def _html_block(html: str) -> Token:
    return Token("html_block", "", 0, content=html)
