"""Runs a server as a child process that ends with its parent, and stops it by escalating signals."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from flexiprice.embedded.parent_death import run_with_parent_death_signal
from flexiprice.errors import ServerFailed

_START_SECONDS = 30.0
_STOP_SECONDS = 10.0
_LOOK_AGAIN_SECONDS = 0.01
_LINES_OF_LOG = 15


class ServerProcess:
    """A running server and the signals that end it.

    The server has its own session, so Ctrl-C in the terminal reaches only the owner. The owner stops the
    servers after the programs that use them.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        log: Path,
        stop_signals: Sequence[signal.Signals],
        user: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Starts the server.

        Args:
            name: display name of the server.
            command: program and arguments; the program as an absolute path.
            folder: working directory.
            log: file for its output; truncated first.
            stop_signals: signals that end it, mildest first; the first is also sent when the owner dies.
            user: account to run it as, or empty.
            environment: its environment variables; inherited if None.
        """
        self.name = name
        self.log = log
        self._stop_signals = tuple(stop_signals)
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                run_with_parent_death_signal(
                    list(command), owner=os.getpid(), death_signal=self._stop_signals[0], user=user
                ),
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Polls `ready` until it returns true.

        Raises:
            ServerFailed: the server ended, or was not ready in time.
        """
        deadline = time.monotonic() + _START_SECONDS
        while not ready():
            self.require_alive()
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"{self.name} was not ready within {_START_SECONDS:.0f} s:\n{self.last_lines()}"
                )
            time.sleep(_LOOK_AGAIN_SECONDS)

    def require_alive(self) -> None:
        """Checks that the server still runs.

        Raises:
            ServerFailed: it ended.
        """
        exit_code = self._popen.poll()
        if exit_code is not None:
            raise ServerFailed(f"{self.name} ended with exit code {exit_code}:\n{self.last_lines()}")

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def last_lines(self) -> str:
        """Returns the end of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LINES_OF_LOG:])

    def stop(self) -> None:
        """Stops the server and waits for its exit. Kills it if the wait is interrupted."""
        try:
            for stop_signal in self._stop_signals:
                if self._popen.poll() is not None:
                    return
                self._popen.send_signal(stop_signal)
                try:
                    self._popen.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if self._popen.poll() is None:
                kill_tree(psutil.Process(self._popen.pid))
                self._popen.wait()


def stop_leftover(
    pid_file: Path, *, program: str, folder: Path, stop_signals: Sequence[signal.Signals]
) -> None:
    """Stops a server that a killed owner left running in a folder.

    Process ids are reused, so the process must be that program and have that working directory.
    """
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        is_leftover = Path(process.exe()).name == program and Path(process.cwd()) == folder.resolve()
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess, psutil.AccessDenied):
        return
    if not is_leftover:
        return
    for stop_signal in stop_signals:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(stop_signal)
        if _ends(process):
            return
    kill_tree(process)


def _ends(process: psutil.Process) -> bool:
    # In a container whose init process reaps no children, an orphan that exited stays a zombie for ever.
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(_LOOK_AGAIN_SECONDS)
    return False


def kill_tree(process: psutil.Process) -> None:
    """Kills a process and its descendants, and waits for their exit."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    for member in family:
        _ends(member)


def free_port(remembered: Path) -> int:
    """Returns a free port on the loopback interface, if possible the one used last time."""
    try:
        preferred = int(remembered.read_text())
    except (OSError, ValueError):
        preferred = 0
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            chosen = int(probe.getsockname()[1])
            remembered.write_text(f"{chosen}\n")
            return chosen
    raise ServerFailed("no free port on 127.0.0.1")
