"""The command line imports only the command that is used, and lists all."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from flexiprice.cli.commands import COMMANDS
from flexiprice.cli.main import app

# Typer itself imports pydantic.
HEAVY = ("sqlalchemy", "redis", "arq", "httpx", "fastapi", "pydantic_settings", "structlog")
LOADED: Any = typer.main.get_command(app)


def start(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs the command line in a new process, which ends with the names of all modules it imported."""
    code = (
        "import atexit, sys; atexit.register(lambda: print('modules:', *sys.modules)); "
        f"sys.argv = ['flexiprice', *{arguments!r}]; from flexiprice.cli.main import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={"PATH": os.environ["PATH"], "COLUMNS": "200", **environment},
    )


def imported(shown: "subprocess.CompletedProcess[str]") -> set[str]:
    return set(shown.stdout.partition("modules: ")[2].split())


@pytest.mark.parametrize("arguments", [("--help",), (), ("--version",), ("no-such-command",)])
def test_start_without_a_command_imports_none_and_no_heavy_library(arguments: tuple[str, ...]) -> None:
    modules = imported(start(*arguments))
    assert "flexiprice.cli.main" in modules
    assert modules.isdisjoint(HEAVY)
    assert modules.isdisjoint(entry.place.partition(":")[0] for entry in COMMANDS.values())


def test_a_command_imports_its_own_code_and_that_of_no_other() -> None:
    shown = start("status", "--help")
    assert shown.returncode == 0, shown.stderr
    assert imported(shown).isdisjoint({"sqlalchemy", "asyncpg", "httpx", "fastapi"}), "it reads Redis alone"
    others = {entry.place.partition(":")[0] for name, entry in COMMANDS.items() if name != "status"}
    assert "flexiprice.cli.tasks.status" in imported(shown)
    assert imported(shown).isdisjoint(others)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_of_each_command_what_its_own_help_says(name: str) -> None:
    command = LOADED.commands[name]
    assert command.name == name
    assert command.rich_help_panel == COMMANDS[name].panel
    assert COMMANDS[name].summary == " ".join(command.help.split("\n\n")[0].split())
    assert not command.hidden


def test_the_list_shows_every_command_once_in_its_panel() -> None:
    shown = start("--help").stdout.partition("modules: ")[0]
    panels = [entry.panel for entry in COMMANDS.values()]
    assert sorted(panels, key=panels.index) == panels, "a panel's commands stand together"
    lines = [line.strip("│ ") for line in shown.splitlines() if line.startswith(("│", "╭"))]
    headings = [
        next(i for i, line in enumerate(lines) if f" {panel} " in line) for panel in dict.fromkeys(panels)
    ]
    assert headings == sorted(headings)
    rows = [line.split()[0] for line in lines[headings[0] :] if line.split() and line.split()[0] in COMMANDS]
    assert rows == list(COMMANDS)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("flexiprice re", ["recompute", "registered", "revoke", "retry", "resume-queue"]),
        ("flexiprice policy pre", ["preview"]),
        ("flexiprice recompute --dry", ["--dry-run"]),
    ],
)
def test_shell_completion_offers_commands_and_their_options(
    typed: str, offered: list[str], tmp_path: Path
) -> None:
    words = typed.split()
    shown = start(
        _FLEXIPRICE_COMPLETE="complete_bash",
        COMP_WORDS=typed,
        COMP_CWORD=str(len(words) - 1),
        HOME=str(tmp_path),
    )
    assert shown.stdout.partition("modules: ")[0].split() == offered


def test_completion_of_a_command_s_name_imports_no_command() -> None:
    modules = imported(
        start(_FLEXIPRICE_COMPLETE="complete_bash", COMP_WORDS="flexiprice re", COMP_CWORD="1")
    )
    assert "flexiprice.cli.main" in modules
    assert modules.isdisjoint(HEAVY)
