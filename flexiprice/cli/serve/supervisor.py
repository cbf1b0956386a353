"""Supervises a program: passes signals on to it, and restarts it after it has recycled itself.

A recycled program exits with code 0, like one that was asked to stop. To distinguish the two, it writes to a
pipe from its supervisor just before it exits.

`python -m flexiprice.cli.serve.supervisor PROGRAM [ARGUMENT …]` is a supervisor that loads nothing else.
"""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from flexiprice.embedded.parent_death import run_with_parent_death_signal
from flexiprice.queue.worker.supervisor_protocol import PIPE_VARIABLE, RECYCLED

# Not the logger of `telemetry`, which would import half of FlexiPrice into the supervisor.
_LOGGER = logging.getLogger(__name__)

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


def supervise(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> int:
    """Runs a program, and restarts it each time it has recycled itself.

    Every SIGTERM and SIGINT is passed on, and SIGHUP as SIGTERM. A program that crashes is not restarted:
    its exit code is returned to this process's own supervisor, which decides about restarts. If this
    process is killed, the program receives SIGTERM (on Linux).

    Args:
        command: program and arguments; the program as an absolute path.
        environment: its environment variables; None for those of this process.

    Returns:
        The exit code for this process: the program's own; 128 plus the number of the signal that killed
        it; or 0 where that signal was passed on to stop it.
    """
    with _blocked_signals() as heeded:
        return _Supervisor(command, os.environ if environment is None else environment, heeded).run()


@contextmanager
def _blocked_signals() -> Generator[frozenset[signal.Signals]]:
    """Blocks the signals to pass on, so that each stays pending until `sigwait` takes it.

    A handler would run between any two instructions. A signal that arrives just before a blocking call would
    be handled only when that call returns, which may be never where it waits for the program.
    """
    # A signal that this process was started to ignore, as by nohup, stays ignored.
    heeded = {
        number
        for number in (*_STOPPING, signal.SIGHUP)
        if number is signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN
    }
    waited_for = {*heeded, signal.SIGCHLD}
    # An ignored signal, as SIGCHLD is by default, may be discarded although it is blocked.
    handlers = {number: signal.signal(number, _do_nothing) for number in waited_for}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
    try:
        yield frozenset(heeded)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass


class _Supervisor:
    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], heeded: frozenset[signal.Signals]
    ) -> None:
        # This also unblocks the signals for the program.
        self._command = run_with_parent_death_signal(
            list(command), owner=os.getpid(), death_signal=signal.SIGTERM
        )
        self._environment = environment
        self._heeded = heeded
        self._passed_on: set[signal.Signals] = set()

    def run(self) -> int:
        while True:
            exit_code, recycled = self._run_once()
            if self._passed_on or not recycled:
                break
            _LOGGER.info("program_restarted_after_recycling")
        if exit_code < 0:
            return 0 if -exit_code in self._passed_on else 128 - exit_code
        return exit_code

    def _run_once(self) -> tuple[int, bool]:
        read_end, write_end = os.pipe()
        try:
            # In its own process group, or Ctrl-C would reach it twice: from the terminal and from here.
            program = subprocess.Popen(
                self._command,
                env={**self._environment, PIPE_VARIABLE: str(write_end)},
                stdin=subprocess.DEVNULL,
                pass_fds=(write_end,),
                process_group=0,
            )
            exit_code = self._wait(program)
            recycled = exit_code == 0 and _reports_recycling(read_end)
        finally:
            os.close(read_end)
            with suppress(OSError):
                os.close(write_end)
        return exit_code, recycled

    def _wait(self, program: subprocess.Popen[bytes]) -> int:
        """Waits for the program's exit, and passes on the signals that arrive meanwhile."""
        while (exit_code := program.poll()) is None:
            number = signal.sigwait({*self._heeded, signal.SIGCHLD})
            if number != signal.SIGCHLD:
                self._pass_on(signal.Signals(number), program)
        # Signals that arrived while the program was exiting: it must not be restarted.
        while waiting := signal.sigpending() & self._heeded:
            self._pass_on(signal.Signals(signal.sigwait(waiting)), program)
        return exit_code

    def _pass_on(self, number: signal.Signals, program: subprocess.Popen[bytes]) -> None:
        sent = number if number in _STOPPING else signal.SIGTERM
        self._passed_on.add(sent)
        program.send_signal(sent)


def _reports_recycling(pipe: int) -> bool:
    # Children of the program may still hold the other end open.
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, len(RECYCLED)) == RECYCLED
    except BlockingIOError:
        return False


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:]))
