"""A program under supervision: it is told what its supervisor is told, and started anew when it is used up.

A program that has done its share ends with exit code 0, as one does that was asked to stop. So that the
two can be told apart, it says so, through a pipe that its supervisor gave it, just before it ends.

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
from flexiprice.queue.worker.recycling import PIPE_VARIABLE, RECYCLED

# Not ours of `telemetry`, which would load half of FlexiPrice into the supervised program's parent.
_LOGGER = logging.getLogger(__name__)

_STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


def supervise(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> int:
    """Runs a program until it ends for another reason than having done its share.

    SIGTERM and SIGINT are passed on, every one of them, and SIGHUP as SIGTERM; what becomes of the
    program then is its own affair. It is never started again after a crash: its exit code goes to
    whoever supervises this process, as that one knows how often to try. If this process is killed, the
    program is told to stop (on Linux).

    Args:
        command: program and arguments; the program as an absolute path.
        environment: its environment variables; ours where absent.

    Returns:
        The exit code for this process: the program's own; 128 and the number of the signal that killed
        it; or 0 where that was the signal to stop.
    """
    with _blocked_signals() as heeded:
        return _Supervisor(command, os.environ if environment is None else environment, heeded).run()


@contextmanager
def _blocked_signals() -> Generator[frozenset[signal.Signals]]:
    """Blocks the signals to pass on, so that each waits until `sigwait` takes it.

    A handler would run between any two instructions: a signal that comes just before a blocking call is
    noted, and not acted on until that call returns, which for a wait for the program may be never.
    """
    # A process that was started to ignore one of them, as by nohup, goes on ignoring it.
    heeded = {
        number
        for number in (*_STOPPING, signal.SIGHUP)
        if number is signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN
    }
    waited_for = {*heeded, signal.SIGCHLD}
    # A signal that is ignored, as SIGCHLD is by default, may be thrown away though it is blocked.
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
        # It also unblocks for the program what is blocked here.
        self._command = run_with_parent_death_signal(
            list(command), owner=os.getpid(), death_signal=signal.SIGTERM
        )
        self._environment = environment
        self._heeded = heeded
        self._told: set[signal.Signals] = set()

    def run(self) -> int:
        while True:
            exit_code, recycled = self._run_once()
            if self._told or not recycled:
                break
            _LOGGER.info("the program has done its share and is started anew")
        if exit_code < 0:
            return 0 if -exit_code in self._told else 128 - exit_code
        return exit_code

    def _run_once(self) -> tuple[int, bool]:
        said, says = os.pipe()
        try:
            # A group of its own, or Ctrl-C would reach it twice: from the terminal, and from here.
            program = subprocess.Popen(
                self._command,
                env={**self._environment, PIPE_VARIABLE: str(says)},
                stdin=subprocess.DEVNULL,
                pass_fds=(says,),
                process_group=0,
            )
            exit_code = self._wait(program)
            recycled = exit_code == 0 and _heard(said)
        finally:
            os.close(said)
            with suppress(OSError):
                os.close(says)
        return exit_code, recycled

    def _wait(self, program: subprocess.Popen[bytes]) -> int:
        """Waits for the program's end, and passes on what comes meanwhile."""
        while (exit_code := program.poll()) is None:
            number = signal.sigwait({*self._heeded, signal.SIGCHLD})
            if number != signal.SIGCHLD:
                self._pass_on(signal.Signals(number), program)
        # What came when the program was about to end: it is not to be started anew.
        while waiting := signal.sigpending() & self._heeded:
            self._pass_on(signal.Signals(signal.sigwait(waiting)), program)
        return exit_code

    def _pass_on(self, number: signal.Signals, program: subprocess.Popen[bytes]) -> None:
        told = number if number in _STOPPING else signal.SIGTERM
        self._told.add(told)
        program.send_signal(told)


def _heard(pipe: int) -> bool:
    # What the program itself started may have the other end still open.
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, len(RECYCLED)) == RECYCLED
    except BlockingIOError:
        return False


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:]))
