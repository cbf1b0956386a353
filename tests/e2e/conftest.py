"""What the tests of the command line share."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import flexiprice

Run = Callable[..., "subprocess.CompletedProcess[str]"]


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
            timeout=60,
            check=False,
        )

    return run_command
