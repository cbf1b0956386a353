"""Real Redis servers that answer and refuse commands for a time."""

import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import redis

from flexiprice.embedded.child_process import free_port
from tests.support.processes import wait_for
from tests.support.redis_servers import redis_servers, until_answering

_NOWHERE: Final = ("127.0.0.1", "1")


@contextmanager
def unready_server(folder: Path, **options: str) -> Generator["UnreadyRedis"]:
    """A server in a folder, as long as the context lasts; options are those of `redis_servers`."""
    port = free_port(folder / "port")
    with redis_servers(folder, **options) as servers:
        servers.start("--port", str(port), "--save", "")
        unready = UnreadyRedis(f"redis://127.0.0.1:{port}/0", folder)
        until_answering(unready.client)
        yield unready


class UnreadyRedis:
    """A server that refuses commands on request, and stops refusing.

    Attributes:
        client: with every right on it.
        folder: where the server works, and would write its snapshot.
        url: where it answers.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self.client = redis.Redis.from_url(url, socket_timeout=20)
        self.folder = folder
        self.url = url

    @contextmanager
    def refusing(self, kind: str) -> Generator[None]:
        """The server answers `kind`, for as long as the context lasts."""
        begin, end = getattr(self, f"_begin_{kind}"), getattr(self, f"_end_{kind}")
        begin()
        try:
            yield
        finally:
            end()

    def refusals(self, kind: str) -> int:
        """The number of such replies; a busy server cannot report it."""
        counts = self.client.info("errorstats").get(f"errorstat_{kind}", {"count": 0})
        return int(counts["count"])

    def _begin_NOREPLICAS(self) -> None:  # noqa: N802 -- as Redis spells it
        self.client.config_set("min-replicas-to-write", 1)

    def _end_NOREPLICAS(self) -> None:  # noqa: N802
        self.client.config_set("min-replicas-to-write", 0)

    def _begin_MISCONF(self) -> None:  # noqa: N802
        # A folder where the snapshot should go.
        (self.folder / "dump.rdb").unlink(missing_ok=True)
        (self.folder / "dump.rdb").mkdir()
        # It saves by itself once in an hour; this failed save makes it refuse writes.
        self.client.config_set("save", "3600 1")
        assert wait_for(self._save_fails)

    def _end_MISCONF(self) -> None:  # noqa: N802
        (self.folder / "dump.rdb").rmdir()
        assert wait_for(lambda: not self._save_fails())
        self.client.config_set("save", "")

    def _save_fails(self) -> bool:
        with suppress(redis.ResponseError):
            self.client.bgsave()
        state = self.client.info("persistence")
        return not state["rdb_bgsave_in_progress"] and state["rdb_last_bgsave_status"] != "ok"

    def _begin_MASTERDOWN(self) -> None:  # noqa: N802
        self.client.config_set("replica-serve-stale-data", "no")
        self.client.replicaof(*_NOWHERE)

    def _end_MASTERDOWN(self) -> None:  # noqa: N802
        self.client.replicaof("NO", "ONE")
        self.client.config_set("replica-serve-stale-data", "yes")

    def _begin_READONLY(self) -> None:  # noqa: N802
        self.client.replicaof(*_NOWHERE)

    def _end_READONLY(self) -> None:  # noqa: N802
        self.client.replicaof("NO", "ONE")

    def _begin_OOM(self) -> None:  # noqa: N802
        self.client.config_set("maxmemory", 1)

    def _end_OOM(self) -> None:  # noqa: N802
        self.client.config_set("maxmemory", 0)

    def _begin_BUSY(self) -> None:  # noqa: N802
        self.client.config_set("lua-time-limit", 50)
        self._endless = threading.Thread(target=self._run_endless_script)
        self._endless.start()
        assert wait_for(self._is_busy)

    def _end_BUSY(self) -> None:  # noqa: N802
        self.client.script_kill()
        self._endless.join()

    def _run_endless_script(self) -> None:
        # The script ends when it is killed, however long that takes.
        patient = redis.Redis.from_url(self.url, socket_timeout=None)
        with patient as client, suppress(redis.ResponseError):
            client.eval("while true do end", 0)

    def _is_busy(self) -> bool:
        try:
            self.client.ping()
        except redis.ResponseError as error:
            return str(error).startswith("BUSY")
        return False
