"""Units that `flexiprice systemd` prints: systemd accepts them and rates their exposure as low."""

import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flexiprice.cli.main import app
from flexiprice.cli.serve.systemd_units import UnitPlan, unit_files
from flexiprice.errors import InvalidSettings
from tests.support.commands import Run

# In tenths, from 0 to 100; the rest is network access, which the programs need.
MOST_EXPOSED = 13
PROGRAM = str(Path(sys.executable).with_name("flexiprice"))


@pytest.fixture
def systemd_analyze() -> str:
    found = shutil.which("systemd-analyze")
    if found is None:
        missing = "systemd-analyze is not installed: apt-get install systemd"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def plan(program: str, folder: Path, *, instances: int = 1, command: str = PROGRAM) -> UnitPlan:
    return UnitPlan(
        program=program,
        command=(command, program),
        user="daemon",
        working_directory=folder,
        environment_file=folder / "environment",
        grace=timedelta(seconds=30),
        instances=instances,
    )


def settings_of(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.splitlines():
        name, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize(("program", "instances"), [("api", 1), ("monitor", 1), ("worker", 1), ("worker", 3)])
def test_systemd_finds_no_fault_in_the_units_and_little_that_they_expose(
    systemd_analyze: str, tmp_path: Path, program: str, instances: int
) -> None:
    folder = tmp_path / "my shop, 100%"
    folder.mkdir()
    units = unit_files(plan(program, folder, instances=instances))
    for name, text in units.items():
        (tmp_path / name).write_text(text)

    verified = subprocess.run(
        [systemd_analyze, "verify", "--man=no", *(str(tmp_path / name) for name in units)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")

    (service,) = (name for name in units if name.endswith(".service"))
    security = subprocess.run(
        [
            *(systemd_analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSED}"),
            str(tmp_path / service),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert security.returncode == 0, security.stdout


def test_a_program_whose_path_has_spaces_is_one_word_to_systemd(tmp_path: Path) -> None:
    (text,) = unit_files(plan("api", tmp_path, command='/srv/a "good" shop/50%/flexiprice')).values()
    assert settings_of(text)["ExecStart"] == ['"/srv/a \\"good\\" shop/50%%/flexiprice" api']


def test_a_home_is_hidden_unless_the_program_lives_in_one(tmp_path: Path) -> None:
    (elsewhere,) = unit_files(plan("api", tmp_path)).values()
    (at_home,) = unit_files(plan("api", tmp_path, command="/home/shop/.venv/bin/flexiprice")).values()
    hidden = "/root" not in str(Path(PROGRAM)) and "/home" not in str(Path(PROGRAM))
    assert settings_of(elsewhere)["ProtectHome"] == (["yes"] if hidden else ["read-only"])
    assert settings_of(at_home)["ProtectHome"] == ["read-only"]


def test_one_worker_is_a_service_that_is_kept_alive_and_given_its_grace(run: Run, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    environment.write_text("FLEXIPRICE_WORKER_GRACE=90\n")
    printed = run("systemd", "worker", "--user", "shop", "--environment-file", "environment")
    assert printed.returncode == 0, printed.stderr
    assert printed.stdout.startswith("# /etc/systemd/system/flexiprice-worker.service\n")
    said = settings_of(printed.stdout)
    expected = {
        "ExecStart": [f"{PROGRAM} worker"],
        "User": ["shop"],
        "WorkingDirectory": [str(tmp_path)],
        "EnvironmentFile": [str(environment)],
        "Restart": ["always"],
        "KillSignal": ["SIGTERM"],
        "KillMode": ["mixed"],
        "TimeoutStopSec": ["105"],
        "ProtectSystem": ["strict"],
        "NoNewPrivileges": ["yes"],
    }
    assert {name: said[name] for name in expected} == expected


def test_several_workers_are_instances_of_one_unit_template_below_a_target(run: Run, tmp_path: Path) -> None:
    written = run("systemd", "worker", "--instances", "3", "--output-directory", str(tmp_path))
    assert written.returncode == 0, written.stderr
    template = settings_of((tmp_path / "flexiprice-worker@.service").read_text())
    target = settings_of((tmp_path / "flexiprice-worker.target").read_text())
    assert template["PartOf"] == template["WantedBy"] == ["flexiprice-worker.target"]
    assert target["Wants"] == [f"flexiprice-worker@{number}.service" for number in (1, 2, 3)]
    assert target["WantedBy"] == ["multi-user.target"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["worker", "--user", "shop\nExecStartPre=/bin/true"], "small letters"),
        (["api", "--working-directory", "/srv\n[Install]"], "line break"),
        (["monitor", "--instances", "2"], "one monitor is enough"),
    ],
)
def test_value_that_would_change_the_unit_file_is_refused(options: list[str], reason: str) -> None:
    refused = CliRunner().invoke(app, ["systemd", *options])
    assert isinstance(refused.exception, InvalidSettings)
    assert reason in refused.exception.message
    assert refused.stdout == ""
