"""`flexiprice help`: the manual in the terminal, of the version that is installed."""

import os
import sys
from itertools import groupby
from typing import Annotated, ClassVar, Final

import typer
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.markdown import Markdown, MarkdownElement, TableElement
from rich.padding import Padding
from rich.table import Table

from flexiprice.cli.console import escaped
from flexiprice.cli.terminal import TerminalConsole, echo
from flexiprice.docs.links import with_topics
from flexiprice.docs.pages import Page, all_pages, find_page, section_title

# Longer lines of prose are hard to read.
_WIDEST: Final = 100


def show_help(
    topic: Annotated[
        str | None,
        typer.Argument(help="Path or last name of a page, such as `operate/runbook` or `runbook`."),
    ] = None,
) -> None:
    """List the pages of the manual, or show one.

    On a terminal, a page that is longer than the window opens in `$PAGER`.
    """
    _show(_contents() if topic is None else _rendered(find_page(topic)))


def _contents() -> RenderableType:
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column()
    for section, pages in groupby(all_pages(), key=lambda page: page.section):
        lines.add_row(f"[bold]{escaped(section_title(section))}[/]")
        for page in pages:
            about = f"{page.title}. {page.summary}" if page.summary else page.title
            lines.add_row(Padding(escaped(page.path), (0, 0, 0, 2)), escaped(about))
    return Group(lines, "", "`flexiprice help TOPIC` shows a page.")


def _rendered(page: Page) -> RenderableType:
    return _Manual(with_topics(page), hyperlinks=False)


class _FoldingTable(TableElement):
    """A table that folds words that are too long for their column instead of cutting them off."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for table in super().__rich_console__(console, options):
            if isinstance(table, Table):
                for column in table.columns:
                    column.overflow = "fold"
            yield table


class _Manual(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "table_open": _FoldingTable}


def _show(content: RenderableType) -> None:
    window = TerminalConsole()
    console = TerminalConsole(width=min(window.width, _WIDEST) if window.is_terminal else _WIDEST)
    with console.capture() as captured:
        console.print(content)
    text = captured.get()
    if not window.is_terminal:
        # Rich pads lines to the width with spaces.
        echo("\n".join(map(str.rstrip, text.splitlines())))
    elif text.count("\n") < window.height:
        sys.stdout.write(text)
    else:
        # As git does: `less` shows colours and leaves the page on the screen.
        os.environ.setdefault("LESS", "FRX")
        with console.pager(styles=True):
            console.print(content)
