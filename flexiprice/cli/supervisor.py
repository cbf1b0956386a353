"""A program under supervision: it is told what its supervisor is told, and started anew when it is used up.

A program that has done its share ends with exit code 0, as one does that was asked to stop. So that the
two can be told apart, it says so, through a pipe that its supervisor gave it, just before it ends.

`python -m flexiprice.cli.supervisor PROGRAM [ARGUMENT …]` is a supervisor that loads nothing else.
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

from flexiprice.embedded.tether import tethered
from flexiprice.jobs.recycling import PIPE_VARIABLE, RECYCLED

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
    supervisor = _Supervisor(command, os.environ if environment is None else environment)
    with supervisor.heeding_signals():
        return supervisor.run()


class _Supervisor:
    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = tethered(list(command), owner=os.getpid(), death_signal=signal.SIGTERM)
        self._environment = environment
        self._program: subprocess.Popen[bytes] | None = None
        self._told: set[signal.Signals] = set()
        self._to_pass_on: list[signal.Signals] = []

    def run(self) -> int:
        while True:
            exit_code, recycled = self._run_once()
            if self._told or not recycled:
                break
            _LOGGER.info("the program has done its share and is started anew")
        if exit_code < 0:
            return 0 if -exit_code in self._told else 128 - exit_code
        return exit_code

    @contextmanager
    def heeding_signals(self) -> Generator[None]:
        # A process that was started to ignore one of them, as by nohup, goes on ignoring it.
        heeded = [
            number
            for number in (*_STOPPING, signal.SIGHUP)
            if number is signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN
        ]
        before = {number: signal.signal(number, self._pass_on) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        told = signal.Signals(number) if number in _STOPPING else signal.SIGTERM
        self._told.add(told)
        self._to_pass_on.append(told)
        self._tell(self._program)

    def _tell(self, program: subprocess.Popen[bytes] | None) -> None:
        while program is not None and self._to_pass_on:
            program.send_signal(self._to_pass_on.pop(0))

    def _run_once(self) -> tuple[int, bool]:
        said, says = os.pipe()
        try:
            # A group of its own, or Ctrl-C would reach it twice: from the terminal, and from here.
            program = self._program = subprocess.Popen(
                self._command,
                env={**self._environment, PIPE_VARIABLE: str(says)},
                stdin=subprocess.DEVNULL,
                pass_fds=(says,),
                process_group=0,
            )
            # What came before there was anyone to be told.
            self._tell(program)
            exit_code = program.wait()
            recycled = exit_code == 0 and _heard(said)
        finally:
            self._program = None
            os.close(said)
            with suppress(OSError):
                os.close(says)
        return exit_code, recycled


def _heard(pipe: int) -> bool:
    # What the program itself started may have the other end still open.
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, len(RECYCLED)) == RECYCLED
    except BlockingIOError:
        return False


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:]))
