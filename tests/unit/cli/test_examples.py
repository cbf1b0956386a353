"""The help of every command ends with examples that its parser accepts."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from flexiprice.cli.examples import EXAMPLES
from flexiprice.cli.main import app

ROOT = typer.main.get_command(app)
FILES = ("stock.csv", "stock.xlsx", "export.csv", "next.yaml")


def below(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command and group below the first, by its words."""
    for name, child in getattr(command, "commands", {}).items():
        yield f"{path}{name}", child
        yield from below(child, f"{path}{name} ")


COMMANDS = dict(below(ROOT))


def test_every_command_has_examples_and_nothing_else_has() -> None:
    assert EXAMPLES.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_the_examples_each_on_a_line(name: str) -> None:
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(app, [*name.split(), "--help"])
    assert shown.exit_code == 0
    _, found, block = shown.stdout.rpartition("Examples:")
    assert found
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    assert tuple(lines) == EXAMPLES[name]
    assert 1 <= len(lines) <= 3


@pytest.mark.parametrize(
    ("name", "example"), [(name, example) for name, examples in EXAMPLES.items() for example in examples]
)
def test_every_example_is_taken_by_the_parser_of_its_command(
    name: str, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in FILES:
        (tmp_path / file).write_text("")
    program, *words = shlex.split(example.partition(" > ")[0])
    assert program == "flexiprice"
    command: Any = ROOT
    typed: list[str] = []
    while words and words[0] in getattr(command, "commands", {}):
        typed.append(words[0])
        command = command.commands[words.pop(0)]
    assert " ".join(typed).startswith(name)
    with command.make_context(name, words):
        pass
