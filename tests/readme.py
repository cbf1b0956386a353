"""The shell blocks of the README: which of them run here, and what stands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"# not run by the tests: (?P<why>.+)")


@dataclass(frozen=True)
class ShellBlock:
    """A block that a reader may paste into a shell.

    Attributes:
        line: where it begins in the README, from 1.
        text: all of it.
        why_not: what its first line says of why the tests do not run it; None where they do.
    """

    line: int
    text: str
    why_not: str | None

    def commands(self) -> Iterator[list[str]]:
        """Its commands, one a line, split as a shell splits words; comments and settings left out."""
        for line in self.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            while words and (words[0] in {"export", "sudo", "exec"} or re.match(r"\w+=", words[0])):
                words.pop(0)
            if words:
                yield words


def shell_blocks(readme: Path = README) -> list[ShellBlock]:
    """All of them, in order."""
    text = readme.read_text()
    blocks = []
    for found in _BLOCK.finditer(text):
        mark = _MARK.match(found[1])
        line = text.count("\n", 0, found.start()) + 2
        blocks.append(ShellBlock(line, found[1], mark["why"] if mark else None))
    return blocks
