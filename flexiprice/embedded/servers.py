"""The embedded servers together: started side by side, both stopped whatever happens."""

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
    """Where PostgreSQL and Redis are; both URLs hold a password. `processes` are the embedded ones."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    processes: tuple[ServerProcess, ...] = field(default=(), repr=False, compare=False)


@contextmanager
def embedded_servers(
    data_dir: Path, *, durable: bool, database_url: str | None = None, redis_url: str | None = None
) -> Generator[ServerUrls]:
    """PostgreSQL and Valkey from wheels, for as long as the context lasts.

    Servers that an owner killed by force left behind in the folder are stopped first. Call it from the
    main thread: on Linux the servers also end when the thread that started them does.

    Args:
        data_dir: where they keep their files; made if absent, readable by its owner alone.
        durable: whether what is written is to survive.
        database_url: of a PostgreSQL to use instead of an embedded one.
        redis_url: of a Redis to use instead of an embedded one.

    Raises:
        MissingExtra: the extra `embedded` is not installed.
        Conflict: the folder is in use by another live process.
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
    """Embedded servers in a scratch folder; nothing they hold survives.

    Args:
        database_url: of a PostgreSQL to use instead of an embedded one.
        redis_url: of a Redis to use instead of an embedded one.

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
    """A folder for embedded servers that is removed afterwards.

    Those that owners killed by force left behind are cleared away first, their servers ended.
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
            # Without a password it is being made this moment: its owner may not hold the lock yet.
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
    # The kernel lets go of the lock when its holder dies, however it dies.
    with (data_dir / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(f"{data_dir} is in use by another `flexiprice up`; stop that one first") from None
        yield


def kept_secret(file: Path) -> str:
    """A random secret that is kept in a file, which only its owner can read; made where there is none."""
    if not file.exists():
        unfinished = file.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        unfinished.touch(mode=0o600)
        unfinished.write_text(secrets.token_urlsafe(24))
        unfinished.rename(file)
    return file.read_text()
