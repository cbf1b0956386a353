"""Follows the manual from an empty server to a running service, block by block, on a Debian with systemd."""

import json
import re
from contextlib import suppress
from pathlib import Path

from tests.install.engine import Engine
from tests.install.steps import Failed, eventually, require, shown, step, untested
from tests.support.readme import shell_blocks

CONTAINER = "flexiprice-server"
READY = "curl --fail --silent http://127.0.0.1:8000/api/v1/health/ready"
# All but the right to raise limits, which nothing here needs and not every machine has to give.
AS_A_MACHINE = (
    *("--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE", "--cgroupns", "private"),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--security-opt", "systempaths=unconfined", "--env", "container=docker"),
    # To systemd, the signal that ends most programs means another thing.
    *("--stop-signal", "SIGRTMIN+3"),
    *("--tmpfs", "/run", "--tmpfs", "/run/lock", "--hostname", "server"),
)
UNITS = ("flexiprice-api", "flexiprice-monitor", "flexiprice-worker@1", "flexiprice-worker@2")


class Server:
    """A Debian in a container whose first process is systemd."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def sh(self, script: str) -> str:
        """Runs a script as root in a login shell, and returns its output."""
        return self._engine.docker("exec", CONTAINER, "bash", "-euo", "pipefail", "-c", script)

    def says(self, script: str) -> str | None:
        """The output of a script; None where it fails."""
        with suppress(Failed):
            return self.sh(script)
        return None

    def property_of(self, unit: str, name: str) -> str:
        return self.sh(f"systemctl show --value --property={name} {unit}")

    def flexiprice(self, words: str) -> str:
        settings = "set -a; . /etc/flexiprice/environment"
        return self.sh(f"{settings}; cd /; /opt/flexiprice/venv/bin/flexiprice {words}")


def walk_through_server(engine: Engine, root: Path, document: Path, image: str) -> None:
    """Follows a page of the manual on a new server, then crashes and reboots it.

    Raises:
        Failed: something was not as it has to be.
    """
    blocks = [block.text for block in shell_blocks(document)]
    require(blocks, f"{document} has no shell blocks")
    server = Server(engine)
    engine.docker("rm", "--force", "--volumes", CONTAINER, check=False)
    try:
        with step("Start a Debian with systemd"):
            # The last word is for machines with control groups of the first version, for which it says: yet.
            boot = "mount -o remount,rw /sys/fs/cgroup; exec /sbin/init SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"
            engine.docker(
                *("run", "--detach", "--name", CONTAINER, *AS_A_MACHINE),
                *(image, "sh", "-c", boot),
            )
            # A container is degraded, because a unit cannot load modules into the kernel.
            state = "systemctl is-system-running --wait | grep -E 'running|degraded'"
            eventually(lambda: server.says(f"set +o pipefail; {state}"), "systemd is up")
        with step("Copy the last commit to /opt/flexiprice/source"):
            server.sh("mkdir -p /opt/flexiprice/source")
            engine.docker("cp", f"{engine.check_out(root)}/.", f"{CONTAINER}:/opt/flexiprice/source")
        try:
            _follow(server, blocks)
            _look(server)
            _try(engine, server)
        except Failed as error:
            state = server.says("systemctl --no-pager status 'flexiprice-*' | head -60")
            journal = server.says("journalctl --unit 'flexiprice-*' --output cat | tail -40")
            raise Failed(f"{error}\n{state}\n{journal}") from error
        untested("TLS before the API, a firewall, backups: they are this server's owner's")
    finally:
        engine.docker("rm", "--force", "--volumes", CONTAINER, check=False)


def _follow(server: Server, blocks: list[str]) -> None:
    # Each block has a shell of its own, which starts with the variables and the folder of the one before.
    kept = "trap 'declare -p password > /root/kept 2>/dev/null || true; pwd > /root/where' EXIT\n"
    resumed = '[ ! -e /root/where ] || cd "$(cat /root/where)"; [ ! -e /root/kept ] || . /root/kept\n'
    settings = "[ ! -e /etc/flexiprice/environment ] || { set -a; . /etc/flexiprice/environment; set +a; }\n"
    for number, block in enumerate(blocks, 1):
        first = next(line for line in block.splitlines() if not line.startswith("#"))
        with step(f"Block {number} of {len(blocks)}: {first} …"):
            said = server.sh(f"{resumed}{settings}{kept}{block}")
            if "flexiprice doctor" in block:
                shown(said)


def _look(server: Server) -> None:
    with step("Every unit is active, and nothing failed"):
        for unit in UNITS:
            eventually(lambda unit=unit: server.says(f"systemctl is-active {unit}"), f"{unit} is active")
        failed = server.sh("systemctl list-units --failed --no-legend 'flexiprice*' 'postgresql*' 'redis*'")
        require(not failed, failed)
    with step("No program is root's, has a capability, can gain one, or can write where it lives"):
        for unit in UNITS:
            process = server.property_of(unit, "MainPID")
            status = server.sh(f"cat /proc/{process}/status")
            for line in ("NoNewPrivs:\t1", "Seccomp:\t2", "CapBnd:\t0000000000000000"):
                require(line in status, f"{unit}: not {line}")
            require(not re.search(r"^Uid:\t0\t", status, re.MULTILINE), f"{unit} runs as root")
            require(
                server.says(f"nsenter --target {process} --mount -- touch /opt/flexiprice/x") is None,
                f"{unit} can write to /opt/flexiprice",
            )
    with step("The settings are root's alone"):
        require(server.sh("stat -c '%a %U' /etc/flexiprice/environment") == "600 root", "they are not")
    with step("systemd's own verdict on the units"):
        shown(server.sh("systemd-analyze security --no-pager | grep flexiprice"))
    with step("Log lines reach the journal as JSON"):
        line = server.sh("journalctl --unit flexiprice-worker@1 --output cat | grep '\"worker_started\"'")
        require(json.loads(line.splitlines()[-1])["level"] == "info", line)


def _try(engine: Engine, server: Server) -> None:
    with step("A recompute is run by a worker"):
        said = server.flexiprice("recompute --wait")
        shown(said)
    with step("A worker that is killed is back, and is another process"):
        before = server.property_of("flexiprice-worker@1", "MainPID")
        server.sh(f"kill -9 {before}")

        def back() -> str | None:
            now = server.property_of("flexiprice-worker@1", "MainPID")
            return now if now not in {before, "0"} else None

        eventually(back, "the worker is started again")
    with step("A worker that is stopped ends in order, by itself"):
        server.sh("systemctl stop flexiprice-worker@2")
        require(server.property_of("flexiprice-worker@2", "Result") == "success", "it did not")
        server.sh("systemctl start flexiprice-worker@2")
    with step("The target takes all workers down and up"):
        server.sh("systemctl stop flexiprice-worker.target")
        eventually(
            lambda: server.property_of("flexiprice-worker@1", "ActiveState") == "inactive", "they are down"
        )
        server.sh("systemctl start flexiprice-worker.target")
    for name, command in (
        ("After a reboot everything is back by itself", ["restart", "--time", "90"]),
        ("After a power cut, too", ["restart", "--time", "0"]),
    ):
        with step(name):
            engine.docker(*command, CONTAINER)
            eventually(lambda: server.says(READY), "the API is ready", seconds=240)
            eventually(lambda: server.flexiprice("workers --json").count('"worker_id"') >= 2, "both workers")
    with step("flexiprice doctor finds everything well"):
        shown(server.flexiprice("doctor"))
