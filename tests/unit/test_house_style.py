"""Product code and documents keep to the style guide of CONTRIBUTING."""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docs.reference import FOLDER, GENERATED

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / ".github" / "CONTRIBUTING.md"
CLEAN = ("README.md", "ARCHITECTURE.md", "flexiprice", "workers", "api", "tests")
_GENERATED = {FOLDER / path for path in GENERATED}
# This module holds banned phrases as test data.
_PLANTED = Path(__file__)
_EVENT = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
_CODE = re.compile(r"^```.*?^```|`[^`]+`", re.MULTILINE | re.DOTALL)
_UNREADABLE = re.compile(r"test_(so|nor|it|its|they|what|who|whoever)_")
_LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
_LOGGERS = {"_log", "_LOGGER", "log", "logger"}


class Offence(NamedTuple):
    """Something that the guide bans, and where it is."""

    file: Path
    line: int
    phrase: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.phrase}"


def banned_phrases() -> list[str]:
    """The phrases of the guide's table."""
    table = GUIDE.read_text().partition("### Banned phrases\n")[2].partition("\n#")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [phrase for cell in cells for phrase in re.findall(r"`([^`]+)`", cell)]


def offences_in(file: Path) -> Iterator[Offence]:
    """Every offence of a file."""
    text = file.read_text(encoding="utf-8")
    is_python = file.suffix == ".py"
    if not is_python:
        # Code and log lines in documents are quotations.
        text = _CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)
    openings = list(_openings(text)) if is_python else []
    for phrase in banned_phrases():
        if phrase.startswith("^"):
            word = re.compile(rf"{re.escape(phrase[1:])}\b")
            yield from (Offence(file, line, phrase) for line, opening in openings if word.match(opening))
        else:
            # A phrase may be broken over two lines of prose, of comments or of a string.
            broken = r"[\s#\"-]+".join(map(re.escape, phrase.split()))
            for found in re.finditer(rf"\b{broken}\b", text, re.IGNORECASE):
                yield Offence(file, text.count("\n", 0, found.start()) + 1, phrase)
    if is_python:
        yield from (Offence(file, line, f"log event {event!r}") for line, event in _odd_events(text))


def _openings(text: str) -> Iterator[tuple[int, str]]:
    """The beginnings of docstrings and of comments, each with its line."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield node.body[0].lineno, docstring
    was_comment = False
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and not was_comment:
            yield token.start[0], token.string.lstrip("#: ")
        if token.type not in {tokenize.NL, tokenize.INDENT, tokenize.DEDENT}:
            was_comment = token.type == tokenize.COMMENT


def _odd_events(text: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=logger), attr=level),
                args=[ast.Constant(value=str(event)), *_],
            ) if logger in _LOGGERS and level in _LEVELS and not _EVENT.fullmatch(event):
                yield node.lineno, event


def files_of(place: Path) -> Iterable[Path]:
    """A file, or the code and documents below a folder."""
    if place.is_file():
        return [place]
    return sorted(file for suffix in ("py", "md", "lua") for file in place.rglob(f"*.{suffix}"))


@pytest.mark.parametrize("place", CLEAN)
def test_no_phrase_that_the_guide_bans_is_in_a_clean_package(place: str) -> None:
    files = files_of(ROOT / place)
    assert files, f"{place} is not there: it was renamed"
    # The text of generated pages is the code's, and judged there.
    judged = [file for file in files if file not in _GENERATED | {_PLANTED}]
    offences = [offence for file in judged for offence in offences_in(file)]
    assert not offences, "\n" + "\n".join(map(str, offences))


@pytest.mark.parametrize("phrase", banned_phrases())
def test_a_planted_phrase_is_found_in_code_with_its_file_and_line(phrase: str, tmp_path: Path) -> None:
    file = tmp_path / "planted.py"
    file.write_text(
        f'"""Prices batches."""\n\n\ndef price() -> None:\n    """{phrase.lstrip("^")} prices."""\n'
    )
    assert f"{file}:5: {phrase}" in map(str, offences_in(file))


def test_a_phrase_is_found_in_documents_and_over_the_ends_of_lines(tmp_path: Path) -> None:
    page, code = tmp_path / "page.md", tmp_path / "code.py"
    page.write_text(
        "# Prices\n\nA price ends; what is\nover is closed. Go on.\n`it goes on`\n```\ngo on\n```\n"
    )
    code.write_text('# It waits and goes\n# on.\nERROR = (\n    "a job goes "\n    "on"\n)\n')
    assert list(map(str, offences_in(page))) == [f"{page}:3: what is over", f"{page}:4: go on"]
    assert list(map(str, offences_in(code))) == [f"{code}:1: goes on", f"{code}:4: goes on"]


def test_a_docstring_or_comment_is_judged_by_its_beginning_and_a_page_is_not(tmp_path: Path) -> None:
    code, page = tmp_path / "code.py", tmp_path / "page.md"
    code.write_text(
        '"""Says what runs.\n\nWhat is more.\n"""\n\n# It says\n# What runs.\nX = 1  # How many\n'
        "# What runs.\n"
    )
    page.write_text("# What to do\n")
    assert list(map(str, offences_in(code))) == [f"{code}:9: ^What", f"{code}:8: ^How"]
    assert list(offences_in(page)) == []


def test_an_event_that_is_a_sentence_is_found(tmp_path: Path) -> None:
    file = tmp_path / "code.py"
    file.write_text('_log.warning("Redis is away", seconds=1)\n_log.info("redis_unavailable")\n')
    assert list(map(str, offences_in(file))) == [f"{file}:1: log event 'Redis is away'"]


def test_every_name_of_a_test_can_be_read_alone() -> None:
    files = [file for file in (ROOT / "tests").rglob("test_*.py") if "node_modules" not in file.parts]
    names = [name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())]
    assert len(names) > 1_000
    assert [name for name in names if _UNREADABLE.match(name) or len(name) > 80] == []
