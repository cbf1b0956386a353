"""Starts both embedded servers in parallel, and stops both in every case."""

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flexiprice.embedded.child_process import ServerProcess
from flexiprice.embedded.postgres import EmbeddedPostgres, stop_leftover_postgres
from flexiprice.embedded.valkey import EmbeddedValkey, stop_leftover_valkey
from flexiprice.errors import Conflict


@dataclass(frozen=True, slots=True)
class ServerUrls:
    """URLs of PostgreSQL and Redis, each with its password, and the processes of embedded servers."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    processes: tuple[ServerProcess, ...] = field(default=(), repr=False, compare=False)


@contextmanager
def embedded_servers(
    data_dir: Path, *, durable: bool, database_url: str | None = None, redis_url: str | None = None
) -> Generator[ServerUrls]:
    """Runs PostgreSQL and Valkey from wheels for as long as the context lasts.

    Servers that a killed owner left behind in the folder are stopped first. Call this from the main thread:
    on Linux the servers end when the thread that started them ends.

    Args:
        data_dir: folder of their files; made if absent, readable only by its owner.
        durable: whether the data survives a restart.
        database_url: an existing PostgreSQL, used instead of an embedded one.
        redis_url: an existing Redis, used instead of an embedded one.

    Raises:
        MissingExtra: the extra `embedded` is not installed.
        Conflict: another live process uses the folder.
        ServerFailed: a server did not start; neither is left running.
    """
    if database_url and redis_url:
        yield ServerUrls(database_url, redis_url)
        return
    data_dir = data_dir.resolve()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as stack:
        stack.enter_context(_sole_owner(data_dir))
        password = kept_secret(data_dir / "password")
        servers: list[EmbeddedPostgres | EmbeddedValkey] = []
        if not redis_url:
            valkey = EmbeddedValkey(data_dir / "valkey", password=password, durable=durable)
            stack.callback(valkey.process.stop)
            servers.append(valkey)
            redis_url = valkey.url
        if not database_url:
            postgres = EmbeddedPostgres(data_dir / "postgres", password=password, durable=durable)
            stack.callback(postgres.process.stop)
            servers.append(postgres)
            database_url = postgres.url
        for server in servers:
            server.wait_until_ready()
        yield ServerUrls(database_url, redis_url, tuple(server.process for server in servers))


@contextmanager
def temporary_servers(
    *, database_url: str | None = None, redis_url: str | None = None
) -> Generator[ServerUrls]:
    """Runs embedded servers in a temporary folder, which is removed afterwards.

    Args:
        database_url: an existing PostgreSQL, used instead of an embedded one.
        redis_url: an existing Redis, used instead of an embedded one.

    Raises:
        MissingExtra: the extra `embedded` is not installed.
        ServerFailed: a server did not start; neither is left running.
    """
    with (
        scratch_folder() as folder,
        embedded_servers(folder, durable=False, database_url=database_url, redis_url=redis_url) as urls,
    ):
        yield urls


@contextmanager
def scratch_folder() -> Generator[Path]:
    """Makes a temporary folder for embedded servers, and removes it afterwards.

    Folders of killed owners are removed first, after their servers are stopped.
    """
    prefix = f"flexiprice-{os.getuid()}-"
    _clear_abandoned(Path(tempfile.gettempdir()), prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _clear_abandoned(parent: Path, prefix: str) -> None:
    for data_dir in parent.glob(f"{prefix}*"):
        try:
            # A folder without a password file is being made: its owner may not hold the lock yet.
            if data_dir.lstat().st_uid != os.getuid() or not (data_dir / "password").exists():
                continue
            with _sole_owner(data_dir):
                stop_leftover_postgres(data_dir / "postgres")
                stop_leftover_valkey(data_dir / "valkey")
                shutil.rmtree(data_dir, ignore_errors=True)
        except (Conflict, FileNotFoundError):
            continue


@contextmanager
def _sole_owner(data_dir: Path) -> Generator[None]:
    # The kernel releases the lock when its holder dies, even by `kill -9`.
    with (data_dir / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{data_dir} is in use by another `flexiprice up`; stop that one first") from None
        yield


def kept_secret(file: Path) -> str:
    """Returns the random secret in a file that only its owner can read; makes both if absent."""
    if not file.exists():
        unfinished = file.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_urlsafe(24))
        unfinished.rename(file)
    return file.read_text()
