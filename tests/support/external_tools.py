"""External programs of the contract tests, and their environments."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PYTHON_TOOLS = ROOT / ".contracts"
NODE_TOOLS = ROOT / "tests" / "npm" / "node_modules"


def python_environment(*more: Path) -> dict[str, str]:
    """The environment in which Python finds the generator and its formatter."""
    require(PYTHON_TOOLS / "openapi_python_client")
    path = os.pathsep.join(map(str, (*more, PYTHON_TOOLS)))
    return {
        **os.environ,
        "PYTHONPATH": path,
        "PATH": f"{PYTHON_TOOLS / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }


def node_program(name: str) -> list[str]:
    """The command of a program of npm."""
    node = shutil.which("node")
    if node is None:
        missing("node")
        raise AssertionError
    require(NODE_TOOLS / ".bin" / name)
    return [node, str(NODE_TOOLS / ".bin" / name)]


def require(path: Path, *, install: str = "make contracts") -> None:
    """Skips the test where this is not installed; fails it where it must be."""
    if not path.exists():
        missing(path.name, install=install)


def promtool() -> str:
    """The program of Prometheus that checks rules and tries them."""
    found = shutil.which("promtool")
    if found is None:
        missing("promtool", install="apt-get install prometheus")
        raise AssertionError
    return found


def missing(name: str, *, install: str = "make contracts") -> None:
    """Skips the test for want of a program; fails it where there must be all."""
    message = f"{name} is not installed: {install}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def run(command: list[str], *, cwd: Path, environment: Mapping[str, str] | None = None) -> str:
    """Runs a program that must succeed; returns all that it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def python(*arguments: str) -> list[str]:
    """The command that runs Python with these arguments."""
    return [sys.executable, *arguments]
