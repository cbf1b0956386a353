"""A durable PostgreSQL and Valkey that can be stopped, killed, frozen and started."""

import os
import signal
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

from flexiprice.embedded.child_process import ServerProcess
from flexiprice.embedded.postgres import EmbeddedPostgres
from flexiprice.embedded.servers import embedded_servers, scratch_folder
from flexiprice.embedded.valkey import EmbeddedValkey
from tests.support.redis_not_ready import UnreadyRedis


class BreakableServers:
    """Both servers; each starts again at its address, with its data."""

    def __init__(self, folder: Path, database_url: str, redis_url: str, stack: ExitStack) -> None:
        self.database_url = database_url
        self.redis_url = redis_url
        self._folder = folder
        self._password = (folder / "password").read_text()
        self._stack = stack
        self._processes: dict[str, ServerProcess] = {}

    @property
    def postgres_folder(self) -> Path:
        """Where PostgreSQL keeps its data."""
        return self._folder / "postgres" / "cluster"

    def know(self, process: ServerProcess) -> None:
        """Takes charge of a server's process."""
        self._processes[process.name] = process
        self._stack.callback(process.stop)

    def stop_redis(self) -> None:
        """Ends Valkey in good order."""
        self._processes["Valkey"].stop()

    def kill_redis(self) -> None:
        """Kills Valkey."""
        process = self._processes["Valkey"]
        os.kill(process.pid, signal.SIGKILL)
        process.stop()

    def start_redis(self) -> None:
        """Starts Valkey again; returns when it answers."""
        valkey = EmbeddedValkey(self._folder / "valkey", password=self._password, durable=True)
        self.know(valkey.process)
        valkey.wait_until_ready()

    def unready_redis(self) -> UnreadyRedis:
        """Valkey's client, to make it refuse commands."""
        return UnreadyRedis(self.redis_url, self._folder / "valkey")

    def stop_postgres(self) -> None:
        """Ends PostgreSQL, and every session with it."""
        self._processes["PostgreSQL"].stop()

    def start_postgres(self) -> None:
        """Starts PostgreSQL again; returns when it takes connections."""
        postgres = EmbeddedPostgres(self._folder / "postgres", password=self._password, durable=True)
        self.know(postgres.process)
        postgres.wait_until_ready()

    @contextmanager
    def frozen(self, name: str) -> Generator[None]:
        """A server whose processes are all stopped where they are, for as long as the context lasts."""
        process = psutil.Process(self._processes[name].pid)
        family = [process, *process.children(recursive=True)]
        for member in family:
            member.suspend()
        try:
            yield
        finally:
            for member in family:
                member.resume()


@contextmanager
def breakable_servers() -> Generator[BreakableServers]:
    """Servers in a scratch folder; call it from the main thread."""
    with (
        scratch_folder() as folder,
        embedded_servers(folder, durable=True) as urls,
        ExitStack() as stack,
    ):
        servers = BreakableServers(folder, urls.database_url, urls.redis_url, stack)
        for process in urls.processes:
            servers.know(process)
        yield servers
