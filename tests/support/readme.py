"""The shell blocks of README and manual: which of them run here, and what stands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flexiprice.docs.pages import all_pages
from tests.support.paths import ROOT

README: Final = ROOT / "README.md"
_BLOCK: Final = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK: Final = re.compile(r"# not run by the tests: (?P<why>.+)")


@dataclass(frozen=True)
class ShellBlock:
    """A block that a reader may paste into a shell.

    Attributes:
        document: the file that it stands in, from the checkout's folder.
        line: where it begins in the document, from 1.
        text: all of it.
        why_not: the reason, from its first line, for which the tests do not run it; None where they do.
    """

    document: str
    line: int
    text: str
    why_not: str | None

    @property
    def place(self) -> str:
        """Document and line, as editors open them."""
        return f"{self.document}:{self.line}"

    def commands(self) -> Iterator[list[str]]:
        """Its commands, one a line, split as a shell splits words; comments and settings left out."""
        for line in self.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and (words[0] in {"export", "sudo", "exec"} or re.match(r"\w+=", words[0])):
                words.pop(0)
            if words:
                yield words


def page(path: str) -> Path:
    """The file of a page of the manual, such as `operate/runbook`."""
    return ROOT / "flexiprice" / "docs" / f"{path}.md"


def documents() -> list[Path]:
    """README and every page, in the order in which a newcomer reads them."""
    return [README, *(page(each.path) for each in all_pages())]


def shell_blocks(*chosen: Path) -> list[ShellBlock]:
    """All shell blocks of the documents, in order; of README and all pages where none is named."""
    blocks = []
    for document in chosen or documents():
        text = document.read_text()
        for found in _BLOCK.finditer(text):
            mark = _MARK.match(found[1])
            line = text.count("\n", 0, found.start()) + 2
            name = str(document.relative_to(ROOT)) if document.is_relative_to(ROOT) else str(document)
            blocks.append(ShellBlock(name, line, found[1], mark["why"] if mark else None))
    return blocks
