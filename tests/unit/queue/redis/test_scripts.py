"""A Lua script says in its header what it takes and returns, and is assembled from files that exist."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from flexiprice.errors import InvalidScript
from flexiprice.queue.redis import scripts
from flexiprice.queue.redis.scripts import CONSTANTS, FOLDER, load_script
from tests.support.paths import ROOT

SCRIPTS = sorted(file.name.removesuffix(".lua") for file in FOLDER.iterdir() if file.is_file())
INCLUDES = sorted(file.name.removesuffix(".lua") for file in FOLDER.joinpath("includes").iterdir())
_INDEX = re.compile(r"(KEYS|ARGV)\[(\d+)\]")
_NAMED = re.compile(r"(KEYS|ARGV)\[(\d+)\] (\w+): \S.*")
_REST = re.compile(r"ARGV\[(\d+)\.\.\] \S.*")
_UNPACKED = re.compile(r"local (\w+(?:,\s+\w+)*) = unpack\((KEYS|ARGV)(?:, 1, (\d+))?\)")
_USE_OF_REST = re.compile(r"for \w+ = (\d+), #ARGV|unpack\(ARGV, (\d+)\)|ipairs\((ARGV)\)")


class Parameters(NamedTuple):
    """The keys and arguments of a script.

    Attributes:
        names: the names of those with a fixed index; empty where the body gives none.
        rest: the first index of a list of any length; None without one.
    """

    names: dict[tuple[str, int], str]
    rest: int | None


def parts_of(name: str) -> tuple[list[list[str]], str]:
    """The paragraphs of a script's header, each as its lines, and the body."""
    header, _, body = FOLDER.joinpath(f"{name}.lua").read_text(encoding="utf-8").partition("\n\n")
    lines = [line.removeprefix("--").removeprefix(" ") for line in header.splitlines()]
    return [paragraph.split("\n") for paragraph in "\n".join(lines).split("\n\n")], body


def described(name: str) -> Parameters:
    """The keys and arguments that the header describes."""
    paragraphs, _ = parts_of(name)
    names = {
        (found[1], int(found[2])): found[3] for line in paragraphs[1] if (found := _NAMED.fullmatch(line))
    }
    rest = [int(found[1]) for line in paragraphs[1] if (found := _REST.fullmatch(line))]
    return Parameters(names, rest[0] if rest else None)


def used(name: str) -> Parameters:
    """The keys and arguments that the body uses."""
    _, body = parts_of(name)
    names = {(kind, int(index)): "" for kind, index in _INDEX.findall(body)}
    for variables, kind, last in _UNPACKED.findall(body):
        unpacked = re.split(r",\s+", variables)
        assert last in {"", str(len(unpacked))}
        names |= {(kind, index): variable for index, variable in enumerate(unpacked, 1)}
    rest = {int(first or second or 1) for first, second, _ in _USE_OF_REST.findall(body)}
    assert len(rest) <= 1
    return Parameters(names, rest.pop() if rest else None)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_header_has_purpose_keys_arguments_and_reply_in_this_order(name: str) -> None:
    text = FOLDER.joinpath(f"{name}.lua").read_text(encoding="utf-8")
    assert all(re.match(r"--( |$)", line) for line in text.partition("\n\n")[0].splitlines())
    (purpose, *more), parameters, *_ = parts_of(name)[0]
    assert not more
    assert re.fullmatch(r"[A-Z][^.]*\.", purpose)
    entries = [line for line in parameters if re.match(r"KEYS\[|ARGV\[|Returns ", line)]
    *taken, returned = entries
    assert returned.startswith("Returns ")
    assert "\n".join(parameters).endswith(".")
    rest = described(name).rest
    keys = sum(line.startswith("KEYS[") for line in taken)
    arguments = len(taken) - keys - (rest is not None)
    expected = [f"KEYS[{index}] " for index in range(1, keys + 1)]
    expected += [f"ARGV[{index}] " for index in range(1, arguments + 1)]
    expected += [] if rest is None else [f"ARGV[{arguments + 1}..] "]
    assert [line.partition(" ")[0] + " " for line in taken] == expected
    assert len(described(name).names) == keys + arguments


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_header_numbers_and_names_the_keys_and_arguments_that_the_body_uses(name: str) -> None:
    header, body = described(name), used(name)
    assert header.names.keys() == body.names.keys()
    assert {index: header.names[index] for index, variable in body.names.items() if variable} == {
        index: variable for index, variable in body.names.items() if variable
    }
    assert header.rest == body.rest


def test_every_script_is_loaded_by_its_name_and_run_by_some_module() -> None:
    product = "\n".join(
        file.read_text(encoding="utf-8")
        for package in ("flexiprice", "workers")
        for file in (ROOT / package).rglob("*.py")
        if file != Path(scripts.__file__)
    )
    for name in SCRIPTS:
        assert getattr(scripts, name.upper()) == load_script(name)
        assert re.search(rf"(register_script|eval)\({name.upper()}\b", product), f"{name}.lua is never run"


@pytest.mark.parametrize(("kind", "names"), [("include", INCLUDES), ("constant", sorted(CONSTANTS))])
def test_every_include_and_every_constant_is_asked_for(kind: str, names: list[str]) -> None:
    files = [*FOLDER.iterdir(), *FOLDER.joinpath("includes").iterdir()]
    text = "".join(file.read_text(encoding="utf-8") for file in files if file.is_file())
    assert sorted(set(re.findall(rf'^--- @{kind} "(\w+)"$', text, re.MULTILINE))) == names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for scripts."""
    (tmp_path / "includes").mkdir()
    return tmp_path


def test_an_include_is_inserted_once_before_what_needs_it(folder: Path) -> None:
    (folder / "includes" / "clock.lua").write_text("local now = 1\n")
    (folder / "includes" / "calls.lua").write_text('--- @include "clock"\nlocal call = now\n')
    (folder / "count.lua").write_text('--- @include "calls"\n--- @include "clock"\nreturn call\n')
    assert load_script("count", folder) == "local now = 1\nlocal call = now\nreturn call\n"


def test_a_constant_becomes_one_local_of_lua(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"prefix": "arq:", "most": 7, "reasons": ("failed", "corrupt")}
    monkeypatch.setattr(scripts, "CONSTANTS", values)
    (folder / "includes" / "keys.lua").write_text('--- @constant "prefix"\n')
    asked = ["include", "keys"], ["constant", "prefix"], ["constant", "most"], ["constant", "reasons"]
    (folder / "count.lua").write_text("".join(f'--- @{kind} "{name}"\n' for kind, name in asked))
    assert load_script("count", folder) == (
        "local prefix = 'arq:'\nlocal most = 7\nlocal reasons = {'failed', 'corrupt'}\n"
    )


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        ('include "clokc"', "count.lua includes includes/clokc.lua, which does not exist"),
        ('constant "mots"', "count.lua asks for the constant mots, which does not exist"),
        ("include clock", 'count.lua: "--- @include clock" is neither an include nor a constant'),
        ('inclued "clock"', 'count.lua: "--- @inclued "clock"" is neither an include nor a constant'),
    ],
)
def test_a_directive_that_leads_nowhere_is_an_error_that_names_the_file(
    folder: Path, directive: str, message: str
) -> None:
    (folder / "includes" / "clock.lua").write_text("local now = 1\n")
    (folder / "count.lua").write_text(f"--- @{directive}\nreturn 1\n")
    with pytest.raises(InvalidScript) as raised:
        load_script("count", folder)
    assert raised.value.message == message


def test_a_script_without_a_file_is_an_error_that_names_it(folder: Path) -> None:
    with pytest.raises(InvalidScript, match=r"^count\.lua does not exist$"):
        load_script("count", folder)


def test_includes_in_a_circle_are_an_error_that_names_them(folder: Path) -> None:
    (folder / "includes" / "clock.lua").write_text('--- @include "calls"\n')
    (folder / "includes" / "calls.lua").write_text('--- @include "clock"\n')
    (folder / "count.lua").write_text('--- @include "clock"\n')
    with pytest.raises(InvalidScript) as raised:
        load_script("count", folder)
    assert raised.value.message == (
        "includes/clock.lua includes itself: "
        "count.lua > includes/clock.lua > includes/calls.lua > includes/clock.lua"
    )
