"""Reads the pages of the manual of the installed version."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

from flexiprice.errors import NotFound

INDEX: Final = "index"
IMAGES: Final = Path(__file__).parent / "images"
# Folders of the manual in reading order; further ones follow by name.
SECTIONS: Final = {
    "": "Start here",
    "getting-started": "Getting started",
    "guides": "Guides",
    "operate": "Operate",
    "reference": "Reference",
    "migrate": "Migrate",
    "explain": "Explain",
    "adr": "Decisions",
}
_SUFFIX: Final = ".md"
_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_FIRST_SENTENCE: Final = re.compile(r".*?\.(?= |$)")
_EMPHASIS: Final = re.compile(r"(?<![\w`])\*{1,2}(?=\S)([^*]+)(?<=\S)\*{1,2}(?!\w)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the manual.

    Attributes:
        path: its folder and name, without the suffix, such as `operate/runbook`.
        title: its first heading.
        summary: the first sentence below the heading, without markup; empty where the page has none.
        text: its Markdown.
    """

    path: str
    title: str
    summary: str
    text: str

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def section(self) -> str:
        """The folder that the page is in; empty for none."""
        return self.path.rpartition("/")[0]


@cache
def all_pages() -> Sequence[Page]:
    """All pages: section by section; in a section, in the order in which the index links to them."""
    found = dict(_read(files("flexiprice.docs"), ""))
    index = found.get(INDEX, "")
    sections = list(SECTIONS)

    def place(path: str) -> tuple[int, int, str]:
        section = path.rpartition("/")[0]
        linked = index.find(f"({path}{_SUFFIX}")
        return (
            sections.index(section) if section in SECTIONS else len(sections),
            linked if linked >= 0 else len(index),
            path,
        )

    return tuple(_page(path, found[path]) for path in sorted(found, key=place))


def section_title(section: str) -> str:
    """The name of a section, as lists and the site's navigation show it."""
    return SECTIONS.get(section, section.replace("-", " ").capitalize())


def get_page(path: str) -> Page:
    """Returns the page at exactly this path.

    Raises:
        NotFound: there is no such page.
    """
    for page in all_pages():
        if page.path == path:
            return page
    raise NotFound(f"The manual has no page {path!r}")


def find_page(topic: str) -> Page:
    """Returns the page that a person asks for by its path or by its last name.

    Args:
        topic: in any case, with or without `.md`.

    Raises:
        NotFound: no page has this name, or several have; the message names the nearest, or those.
    """
    wanted = topic.strip().strip("/").lower().removesuffix(_SUFFIX)
    pages = all_pages()
    named = [page for page in pages if page.path == wanted] or [page for page in pages if page.name == wanted]
    if len(named) == 1:
        return named[0]
    if named:
        paths = ", ".join(page.path for page in named)
        raise NotFound(f"Several pages are called {topic!r}: name one of {paths}")
    paths_by_name = {page.name: page.path for page in pages} | {page.path: page.path for page in pages}
    near = get_close_matches(wanted, paths_by_name, n=3, cutoff=0.5)
    nearest = list(dict.fromkeys(paths_by_name[name] for name in near))
    hint = f"the nearest: {', '.join(nearest)}" if nearest else "`flexiprice help` lists all"
    raise NotFound(f"The manual has no page {topic!r}; {hint}")


def _read(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _read(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield f"{prefix}{entry.name.removesuffix(_SUFFIX)}", entry.read_text(encoding="utf-8")


def _page(path: str, text: str) -> Page:
    lines = text.splitlines()
    at = next((number for number, line in enumerate(lines) if line.startswith("# ")), None)
    if at is None:
        return Page(path=path, title=path, summary="", text=text)
    return Page(path=path, title=_without_markup(lines[at][2:]), summary=_summary(lines[at + 1 :]), text=text)


def _summary(lines: Sequence[str]) -> str:
    """The first sentence of the first paragraph; nothing where a heading, list or table comes first."""
    paragraph: list[str] = []
    for line in lines:
        if not line.strip() and paragraph:
            break
        if line.strip():
            if not paragraph and line.startswith(("#", "|", "-", "*", ">", "`" * 3, "![")):
                return ""
            paragraph.append(line.strip())
    text = _without_markup(" ".join(paragraph))
    sentence = _FIRST_SENTENCE.match(text)
    return (sentence.group() if sentence else text).rstrip(":")


def _without_markup(text: str) -> str:
    return _EMPHASIS.sub(r"\1", _LINK.sub(r"\1", text)).replace("`", "").strip()
