"""Starts a program that ends with its owner; runs as a script: `python parent_death.py …`.

The program replaces this process and keeps its pid, so the owner supervises it directly. On Linux the
kernel signals it when the owner dies, even by `kill -9`. Elsewhere the next start stops a leftover.

Imports only the standard library, so that it starts in a few milliseconds under `python -I -S`.
"""

import ctypes
import os
import pwd
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS = 28
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_OVERRIDE = 1
_CAP_SETPCAP = 8
_SECBIT_NO_SETUID_FIXUP = 4
# The supervisor blocks these signals in its own process.
_UNBLOCKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_ON_LINUX = sys.platform == "linux"


def run_with_parent_death_signal(
    command: list[str], *, owner: int, death_signal: signal.Signals, user: str = ""
) -> list[str]:
    """Returns the command line that runs `command` until its owner dies.

    Args:
        command: program and arguments; the program as an absolute path.
        owner: process id of the parent, whose death ends the program.
        death_signal: signal sent to the program when its owner dies.
        user: account to run as, for owners that are root; empty to keep the owner's.
    """
    return [sys.executable, "-I", "-S", __file__, str(owner), str(int(death_signal)), user, *command]


def main(arguments: list[str]) -> None:
    """Switches to the user, requests the death signal, and executes the command."""
    owner, death_signal, user, *command = arguments
    if user:
        _become(pwd.getpwnam(user), must_reach=(command[0], str(Path.cwd())))
    _end_with(int(owner), int(death_signal))
    _restore_signals()
    os.execv(command[0], command)  # noqa: S606 - the point of this script


def _restore_signals() -> None:
    # Python ignores SIGPIPE, and exec keeps ignored signals ignored.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # Python's own handler would record a SIGINT that arrives now, and exec would drop it.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Blocked and pending signals survive exec.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _UNBLOCKED)


def _end_with(owner: int, death_signal: int) -> None:
    if not _ON_LINUX:
        return
    _prctl(_PR_SET_PDEATHSIG, death_signal)
    if os.getppid() != owner:
        # The owner died before the kernel began to watch it.
        sys.exit(1)


def _become(account: pwd.struct_passwd, must_reach: tuple[str, ...]) -> None:
    if _ON_LINUX:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
    os.environ["HOME"] = "/"
    # A checkout under /root is closed to every other account. The server keeps CAP_DAC_OVERRIDE, only where
    # it needs it, so that no permissions of existing folders change.
    if _ON_LINUX and not all(os.access(path, os.R_OK | os.X_OK) for path in must_reach):
        _keep_file_access()


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySet(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _keep_file_access() -> None:
    _set_capabilities(_CAP_DAC_OVERRIDE, _CAP_SETPCAP)
    # PostgreSQL looks for its own programs by access(2), which otherwise disregards the capability.
    _prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP)
    _set_capabilities(_CAP_DAC_OVERRIDE)
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE)


def _set_capabilities(*capabilities: int) -> None:
    only = sum(1 << capability for capability in capabilities)
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    sets = (_CapabilitySet * 2)(_CapabilitySet(only, only, only), _CapabilitySet(0, 0, 0))
    if ctypes.CDLL(None, use_errno=True).capset(ctypes.byref(header), ctypes.byref(sets)) != 0:
        _fail("capset")


def _prctl(option: int, *arguments: int) -> None:
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *padded) != 0:
        _fail("prctl")


def _fail(call: str) -> None:
    raise OSError(ctypes.get_errno(), f"{call}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main(sys.argv[1:])
