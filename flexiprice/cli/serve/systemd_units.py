"""Builds systemd unit files, which restart a program and restrict its privileges."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

# Time beyond the grace period, to release jobs, record ended runs and close connections.
_ENDING_SECONDS: Final = 15

_HARDENED: Final = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
UMask=0077
ProtectSystem=strict
ProtectHome={protect_home}
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
DevicePolicy=closed
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RemoveIPC=yes
KeyringMode=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
"""


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """The settings of one program's units.

    Attributes:
        program: `api`, `monitor` or `worker`.
        command: the program's absolute path and its arguments.
        user: the account and group to run as.
        working_directory: an absolute path; a `.env` in it is read.
        environment_file: the absolute path of an existing file of `NAME=value` lines.
        grace: the longest time for running jobs to finish at a stop.
        instances: the number of instances, each in its own unit.
    """

    program: str
    command: tuple[str, ...]
    user: str
    working_directory: Path
    environment_file: Path
    grace: timedelta
    instances: int = 1


def unit_files(plan: UnitPlan) -> Mapping[str, str]:
    """Returns unit files by name: one service, or a template and the target that starts its instances."""
    name = f"flexiprice-{plan.program}"
    if plan.instances == 1:
        return {f"{name}.service": _service(plan, title=plan.program, wanted_by="multi-user.target")}
    target = f"{name}.target"
    return {
        f"{name}@.service": _service(
            plan, title=f"{plan.program} %i", wanted_by=target, more=f"PartOf={target}\n"
        ),
        target: "\n".join(
            [
                "[Unit]",
                f"Description=FlexiPrice {plan.program}s",
                *(f"Wants={name}@{number}.service" for number in range(1, plan.instances + 1)),
                "",
                "[Install]",
                "WantedBy=multi-user.target",
                "",
            ]
        ),
    }


def _service(plan: UnitPlan, *, title: str, wanted_by: str, more: str = "") -> str:
    stop_seconds = math.ceil(plan.grace.total_seconds()) + _ENDING_SECONDS
    hardened = _HARDENED.format(protect_home="read-only" if _needs_home(plan) else "yes")
    return f"""\
[Unit]
Description=FlexiPrice {title}
Wants=network-online.target
After=network-online.target postgresql.service redis-server.service valkey-server.service
# Restarted without limit: a server that is unavailable comes back.
StartLimitIntervalSec=0
{more}
[Service]
Type=exec
ExecStart={" ".join(_quoted(word) for word in plan.command)}
User={plan.user}
Group={plan.user}
WorkingDirectory={_escaped(str(plan.working_directory))}
EnvironmentFile={_escaped(str(plan.environment_file))}
Restart=always
RestartSec=2
KillSignal=SIGTERM
# Only the main process receives SIGTERM; it stops its children. Remaining processes are killed.
KillMode=mixed
# FLEXIPRICE_WORKER_GRACE plus {_ENDING_SECONDS} s to shut down.
TimeoutStopSec={stop_seconds}
LimitNOFILE=65536

# The program may read its files and connect to its servers only.
{hardened}
[Install]
WantedBy={wanted_by}
"""


def _needs_home(plan: UnitPlan) -> bool:
    homes = (Path("/home"), Path("/root"), Path("/run/user"))
    needed = (Path(plan.command[0]), plan.working_directory, plan.environment_file)
    return any(path.is_relative_to(home) for path in needed for home in homes)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    escaped = _escaped(word).replace("$", "$$")
    if not any(character in escaped for character in " \t\"'\\;"):
        return escaped
    return '"' + "".join(_backslashed(escaped)) + '"'


def _backslashed(text: str) -> Iterator[str]:
    for character in text:
        yield f"\\{character}" if character in '"\\' else character
