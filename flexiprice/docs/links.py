"""Resolves links between pages, each reader of the manual in its own way."""

import posixpath
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from flexiprice.docs.pages import Page

_SUFFIX: Final = ".md"
_LINK: Final = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
_FENCE: Final = re.compile(r"^ {0,3}(?:```|~~~)")
# As the repository's web view makes anchors: letters, digits, `_` and `-`; a hyphen for each space.
_NOT_IN_ANCHOR: Final = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class PageLink:
    """A link to a page of the manual.

    Attributes:
        path: of the page; that of the linking page itself for a bare `#anchor`.
        anchor: without `#`; empty for the page's beginning.
    """

    path: str
    anchor: str


def resolve(page: Page, target: str) -> PageLink | None:
    """Returns the page that a link of a page leads to, or None where it leads out of the manual."""
    address, _, anchor = target.partition("#")
    if not address:
        return PageLink(page.path, unquote(anchor))
    if not address.endswith(_SUFFIX):
        return None
    path = _inside(page, address)
    return None if path is None else PageLink(path.removesuffix(_SUFFIX), unquote(anchor))


def resolve_image(page: Page, target: str) -> str | None:
    """Returns the path of a picture in the folder of the manual, or None where it is elsewhere."""
    return _inside(page, target)


def anchor_of(heading: str) -> str:
    """Returns the anchor of a heading's text, as the repository's web view and the site make it."""
    return _NOT_IN_ANCHOR.sub("", heading.strip().lower()).replace(" ", "-")


def with_topics(page: Page) -> str:
    """Returns the page's Markdown, links to pages replaced by what `flexiprice help` takes."""

    def to_topic(found: re.Match[str]) -> str:
        link = resolve(page, found[2])
        if link is None:
            return found[0]
        return found[1] if link.path == page.path else f"[{found[1]}]({link.path})"

    lines: list[str] = []
    is_code = False
    for line in page.text.split("\n"):
        if _FENCE.match(line):
            is_code = not is_code
        lines.append(line if is_code else _LINK.sub(to_topic, line))
    return "\n".join(lines)


def _inside(page: Page, target: str) -> str | None:
    if ":" in target or target.startswith("/"):
        return None
    path = posixpath.normpath(posixpath.join(page.section, unquote(target)))
    return None if path.startswith("..") else path
