"""Commands as processes and in the test's own process, and a toy worker."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

from flexiprice.cli.main import app
from flexiprice.settings import Settings
from tests.support.commands import Command, Run
from tests.support.paths import ROOT
from tests.support.processes import flexiprice, start


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Run:
    """Runs a command to its end on the test's own servers, in an empty folder."""

    def run_command(
        *arguments: str, typed: str | None = None, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            flexiprice(*arguments),
            cwd=tmp_path,
            env={**environment, **variables},
            input=typed,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run_command


@pytest.fixture
def command(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Command]:
    """Runs a command in this process, which spares each the second that Python takes to start."""
    monkeypatch.setenv("FLEXIPRICE_DATABASE_URL", settings.require_database_url())
    monkeypatch.setenv("FLEXIPRICE_REDIS_URL", settings.require_redis_url())
    monkeypatch.chdir(tmp_path)
    before = structlog.get_config()

    def run(*arguments: str, typed: str | None = None) -> Result:
        return CliRunner().invoke(app, arguments, input=typed)

    yield run
    structlog.configure(**before)


@pytest.fixture
def told(command: Command) -> Callable[..., Any]:
    """The JSON of a command that must succeed."""

    def run(*arguments: str) -> Any:
        result = command(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    return run


@pytest.fixture
def toy_worker(environment: dict[str, str], tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A worker of the toy tasks, in a process of its own."""
    arq = [sys.executable, "-m", "arq", "tests.support.toy_worker.WorkerSettings"]
    program = start(arq, ROOT, environment)
    yield program
    program.terminate()
    program.communicate(timeout=120)
