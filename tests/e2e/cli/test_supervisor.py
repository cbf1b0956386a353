"""`flexiprice worker` supervises its worker: passes signals on and replaces a recycled one."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flexiprice.queue.worker.supervisor_protocol import announce_recycling
from tests.support.processes import read_until, start, wait_for

SUPERVISOR = (
    "import sys; from flexiprice.cli.serve.supervisor import supervise; sys.exit(supervise(sys.argv[1:]))"
)
# Says every signal that it gets, and ends at the one that it is told to end at. It writes past `print`, which
# a signal that comes during another `print` may not enter again.
LISTENER = """
import os, signal, sys, time
from flexiprice.queue.worker.supervisor_protocol import announce_recycling
count = 0
def say(number, _):
    global count
    count += 1
    os.write(1, f"got {signal.Signals(number).name}\\n".encode())
    if count == int(sys.argv[1]):
        announce_recycling()
        sys.exit(0)
signal.signal(signal.SIGTERM, say)
signal.signal(signal.SIGINT, say)
os.write(1, f"ready {os.getpid()}\\n".encode())
while True:
    time.sleep(60)
"""
# Several Pythons start meanwhile, and a busy machine starts one in seconds.
END_SECONDS = 120

Supervise = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Supervise]:
    """Starts a supervisor of a Python program, and ends it after the test."""
    supervisors: list[subprocess.Popen[str]] = []

    def start_supervisor(program: str, *arguments: str) -> subprocess.Popen[str]:
        supervisor = start(
            [sys.executable, "-c", SUPERVISOR, sys.executable, "-c", program, *arguments], tmp_path
        )
        supervisors.append(supervisor)
        return supervisor

    yield start_supervisor
    for supervisor in supervisors:
        supervisor.kill()
        supervisor.communicate(timeout=END_SECONDS)


def pid_in(said: str) -> int:
    """The process id that a listener has said."""
    return int(said.split("ready ")[1].split(maxsplit=1)[0])


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_supervisor_restarts_a_worker_that_was_recycled_until_it_ends_otherwise(
    supervise: Supervise, tmp_path: Path
) -> None:
    program = """
import sys
from pathlib import Path
from flexiprice.queue.worker.supervisor_protocol import announce_recycling
lives = Path("lives")
with lives.open("a") as file:
    file.write("x")
if len(lives.read_text()) < 3:
    assert announce_recycling()
    sys.exit(0)
sys.exit(7)
"""
    supervisor = supervise(program)
    assert supervisor.wait(END_SECONDS) == 7
    assert (tmp_path / "lives").read_text() == "xxx"


@pytest.mark.parametrize(
    ("program", "exit_code"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL),
        # One that crashed after it had said that it was about to end.
        (
            "import flexiprice.queue.worker.supervisor_protocol as pipe; pipe.announce_recycling(); exit(4)",
            4,
        ),
    ],
    ids=["ends", "fails", "is killed", "fails while it is recycled"],
)
def test_supervisor_passes_on_the_exit_code_of_a_program_that_ends_or_crashes(
    supervise: Supervise, program: str, exit_code: int
) -> None:
    supervisor = supervise(f"print('started', flush=True)\n{program}")
    said, _ = supervisor.communicate(timeout=END_SECONDS)
    assert supervisor.returncode == exit_code
    assert said.count("started") == 1


@pytest.mark.parametrize(
    ("sent", "got"),
    [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "SIGINT"), (signal.SIGHUP, "SIGTERM")],
    ids=["SIGTERM", "SIGINT", "SIGHUP"],
)
def test_supervisor_replaces_no_program_that_was_told_to_stop(
    supervise: Supervise, sent: signal.Signals, got: str
) -> None:
    supervisor = supervise(LISTENER, "1")
    read_until(supervisor, "ready")
    supervisor.send_signal(sent)
    said, _ = supervisor.communicate(timeout=END_SECONDS)
    assert said.split() == ["got", got]
    assert supervisor.returncode == 0


def test_supervisor_passes_on_every_signal_so_that_a_second_can_hurry(supervise: Supervise) -> None:
    supervisor = supervise(LISTENER, "2")
    read_until(supervisor, "ready")
    supervisor.send_signal(signal.SIGTERM)
    read_until(supervisor, "got SIGTERM")
    supervisor.send_signal(signal.SIGTERM)
    said, _ = supervisor.communicate(timeout=END_SECONDS)
    assert said.split() == ["got", "SIGTERM"]


def test_supervisor_heeds_a_stop_however_early_it_comes(supervise: Supervise) -> None:
    stops_at_once = "import os, signal, time; os.kill(os.getppid(), signal.SIGTERM); time.sleep(600)"
    supervisors = [supervise(stops_at_once) for _ in range(10)]
    assert [supervisor.wait(END_SECONDS) for supervisor in supervisors] == [0] * 10


def test_supervisor_keeps_a_stop_that_comes_during_a_replacement(
    supervise: Supervise, tmp_path: Path
) -> None:
    program = """
import os, signal
from flexiprice.queue.worker.supervisor_protocol import announce_recycling
with open("lives", "a") as lives:
    lives.write("x")
announce_recycling()
os.kill(os.getppid(), signal.SIGTERM)
os._exit(0)
"""
    assert supervise(program).wait(END_SECONDS) == 0
    assert (tmp_path / "lives").read_text() == "x"


def test_supervisor_starts_its_program_with_no_signal_blocked(supervise: Supervise) -> None:
    supervisor = supervise("import signal; print(signal.pthread_sigmask(signal.SIG_BLOCK, []))")
    said, _ = supervisor.communicate(timeout=END_SECONDS)
    assert said == "set()\n"


def test_ctrl_c_reaches_the_supervised_program_once(supervise: Supervise) -> None:
    # The terminal signals the whole group in the foreground.
    supervisor = supervise(LISTENER, "2")
    program = pid_in(read_until(supervisor, "ready"))
    assert os.getpgid(program) != os.getpgid(supervisor.pid)
    supervisor.send_signal(signal.SIGINT)
    read_until(supervisor, "got SIGINT")
    supervisor.send_signal(signal.SIGTERM)
    said, _ = supervisor.communicate(timeout=END_SECONDS)
    assert said.split() == ["got", "SIGTERM"]


def test_program_stopped_before_it_handles_signals_counts_as_stopped(supervise: Supervise) -> None:
    supervisor = supervise("import time; print('started', flush=True); time.sleep(60)")
    read_until(supervisor, "started")
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(END_SECONDS) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a program that its parent died")
def test_program_of_a_killed_supervisor_is_stopped(supervise: Supervise) -> None:
    supervisor = supervise(LISTENER, "1")
    program = psutil.Process(pid_in(read_until(supervisor, "ready")))
    supervisor.kill()
    read_until(supervisor, "got SIGTERM")
    assert wait_for(lambda: not is_alive(program))


def test_recycling_is_not_announced_without_a_supervisor() -> None:
    assert not announce_recycling()


@pytest.mark.parametrize("pipe", ["none", "999999"])
def test_recycling_is_not_announced_to_a_dead_supervisor(pipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_FLEXIPRICE_SUPERVISOR", pipe)
    assert not announce_recycling()
