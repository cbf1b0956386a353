"""Shell blocks of README and manual work as printed, or name existing commands and files."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import require_command
from tests.support.paths import ROOT
from tests.support.processes import flexiprice, processes_in, read_until, start
from tests.support.readme import ShellBlock, shell_blocks

RUN = [block for block in shell_blocks() if block.why_not is None]
ONLY_CHECKED = [block for block in shell_blocks() if block.why_not is not None]


def where(block: ShellBlock) -> str:
    return block.place


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A folder like a checkout in which `flexiprice up --sample` runs, and the port of its API."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").mkdir()
    (folder / ".venv/bin").symlink_to(Path(sys.executable).parent)
    (folder / ".venv/complete").touch()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    program = start(flexiprice("up", "--sample", "--port", str(port), "--monitor-port", "0"), folder)
    said = read_until(program, "Ctrl-C")
    assert "FlexiPrice is up." in said
    yield folder, port
    program.send_signal(signal.SIGTERM)
    program.communicate(timeout=120)
    assert processes_in(folder) == []


def test_readme_and_manual_show_commands_that_run_and_commands_that_do_not() -> None:
    for blocks in (RUN, ONLY_CHECKED):
        assert {"README.md", "flexiprice/docs/getting-started/quickstart.md"} <= {
            block.document for block in blocks
        }


@pytest.mark.readme
def test_every_block_that_can_run_does_so_in_reading_order(checkout: tuple[Path, int]) -> None:
    folder, port = checkout
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    failed = []
    for block in RUN:
        # curl also succeeds after an error response, unless an option says otherwise.
        script = block.text.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace("curl ", "curl -sSf ")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=folder,
            env={**os.environ, "PATH": path, "TMPDIR": str(folder)},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode != 0:
            failed.append(f"{block.place}: {block.text}{done.stdout}{done.stderr}")
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("block", ONLY_CHECKED, ids=where)
def test_a_block_that_cannot_run_here_names_commands_and_options_that_exist(block: ShellBlock) -> None:
    for words in block.commands():
        name = Path(words[0]).name
        if name == "flexiprice":
            require_command(words[1:])
        elif words[:3] == ["docker", "compose", "exec"]:
            in_container = [word for word in words[3:] if word != "-T"]
            assert in_container[0] in {"api", "postgres"}
            if in_container[0] == "api":
                assert in_container[1] == "flexiprice"
                require_command(in_container[2:])
        elif name == "make":
            assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text()
        elif name in {"arq", "uvicorn"}:
            assert words[1] in {"workers.settings.WorkerSettings", "api.main:app", "api.monitor.main:app"}


@pytest.mark.parametrize("block", ONLY_CHECKED, ids=where)
def test_a_block_that_cannot_run_here_names_files_that_exist(block: ShellBlock) -> None:
    for words in block.commands():
        for word in words:
            place, _, path = word.partition("/")
            if place in {"source", "docker"} and path:
                assert (ROOT / (path if place == "source" else word)).exists(), word
