"""Programs as a person starts them: run to their end, or awaited, interrupted and counted."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil


def flexiprice(*arguments: str) -> list[str]:
    """The command line of our command."""
    return [sys.executable, "-m", "flexiprice.cli.main", *arguments]


def start(
    command: list[str], folder: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Starts a program whose output can be read."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=dict(os.environ if environment is None else environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(program: subprocess.Popen[str], text: str) -> str:
    """The output of a program up to and including a line with the text; all of it if it ends before."""
    assert program.stdout is not None
    said = ""
    for line in program.stdout:
        said += line
        if text in line:
            break
    return said


def processes_in(folder: Path) -> list[psutil.Process]:
    """The live processes whose working folder is a folder or below it."""
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        cwd = process.info["cwd"]
        alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if cwd and alive and Path(cwd).is_relative_to(folder):
            found.append(process)
    return found


def wait_for(condition: Callable[[], object], seconds: float = 120) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
