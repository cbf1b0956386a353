"""A real PgBouncer in transaction mode between a test and its PostgreSQL."""

import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import pytest

from flexiprice.embedded.child_process import ServerProcess, free_port

# Debian puts it where only root looks.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"


def pgbouncer_program() -> str:
    """Its path; the test is skipped where it is not installed, and fails where it must be."""
    found = shutil.which("pgbouncer", path=_PATH)
    if found is None and os.environ.get("CI"):
        pytest.fail("PgBouncer is not installed: apt-get install pgbouncer")
    if found is None:
        pytest.skip("needs PgBouncer: apt-get install pgbouncer")
    return found


@contextmanager
def pgbouncer(database_url: str, folder: Path, *, sessions: int, **options: object) -> Iterator[str]:
    """The URL of a database through a pooler of its own.

    Args:
        database_url: of the database; the pooler leads to every database of that server.
        folder: where its files go.
        sessions: how many sessions of the server all clients share.
        **options: more settings of `pgbouncer.ini`.
    """
    url = urlsplit(database_url)
    account, password = unquote(url.username or ""), unquote(url.password or "")
    folder.mkdir(exist_ok=True)
    port = free_port(folder / "port")
    (folder / "users.txt").write_text(f'"{account}" "{password}"\n')
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": folder / "users.txt",
        "pool_mode": "transaction",
        "default_pool_size": sessions,
        "max_client_conn": 200,
        **options,
    }
    lines = ["[databases]", f"* = host={url.hostname} port={url.port}", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    process = ServerProcess(
        "PgBouncer",
        [pgbouncer_program(), str(folder / "pgbouncer.ini")],
        folder=folder,
        log=folder / "pgbouncer.log",
        stop_signals=(signal.SIGKILL,),
        user="nobody" if os.geteuid() == 0 else "",
    )

    def listens() -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    try:
        process.wait_until(listens)
        yield urlunsplit(url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{port}"))
    finally:
        process.stop()
