"""Embedded servers: closed to other users, and ended with their owner."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis

from flexiprice.embedded import binaries as wheels
from flexiprice.embedded.servers import embedded_servers, temporary_servers
from flexiprice.errors import Conflict, MissingExtra, ServerFailed
from tests.support.processes import processes_in, wait_for

OWNER = """
import sys, time
from pathlib import Path
from flexiprice.embedded.servers import embedded_servers

with embedded_servers(Path(sys.argv[1]), durable=True) as urls:
    print(urls.database_url, urls.redis_url, flush=True)
    time.sleep(600)
"""
# The same owner on a system that does not tell a process of its parent's death.
UNTETHERED_OWNER = f"""
import flexiprice.embedded.child_process as server_process

server_process.run_with_parent_death_signal = lambda command, owner, death_signal, user="": [
    sys.executable, "-c",
    "import sys; from flexiprice.embedded import parent_death; parent_death._end_with = lambda *_: None; "
    "parent_death.main(sys.argv[1:])", str(owner), str(int(death_signal)), user, *command]
{OWNER}
"""


@pytest.fixture
def start_owner(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    owners: list[subprocess.Popen[str]] = []

    def start(program: str) -> subprocess.Popen[str]:
        owner = subprocess.Popen(
            [sys.executable, "-c", f"import sys\n{program}", str(tmp_path / "servers")],
            stdout=subprocess.PIPE,
            text=True,
        )
        owners.append(owner)
        return owner

    yield start
    for owner in owners:
        owner.kill()
        owner.communicate()
    assert wait_for(lambda: not processes_in(tmp_path))


def fetch(url: str, query: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_both_servers_answer_and_keep_what_they_were_given_across_a_restart(tmp_path: Path) -> None:
    with embedded_servers(tmp_path / "servers", durable=True) as first:
        fetch(first.database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
        with redis.Redis.from_url(first.redis_url) as client:
            client.set("kept", "yes")
    assert processes_in(tmp_path) == []

    with embedded_servers(tmp_path / "servers", durable=True) as second:
        assert second == first
        assert fetch(second.database_url, "SELECT answer FROM kept") == 42
        with redis.Redis.from_url(second.redis_url, decode_responses=True) as client:
            assert client.get("kept") == "yes"
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_neither_server_lets_anyone_in_without_the_password(tmp_path: Path) -> None:
    with embedded_servers(tmp_path / "servers", durable=False) as urls:
        password = (tmp_path / "servers" / "password").read_text()
        with pytest.raises(asyncpg.InvalidPasswordError):
            fetch(urls.database_url.replace(password, "wrong"), "SELECT 1")
        with (
            redis.Redis.from_url(urls.redis_url.replace(password, "wrong")) as client,
            pytest.raises(redis.AuthenticationError),
        ):
            client.ping()
        assert (tmp_path / "servers").stat().st_mode & 0o077 == 0
        listening = {
            connection.laddr.ip
            for process in processes_in(tmp_path)
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {"127.0.0.1"}


def test_only_the_server_that_is_not_given_is_started(tmp_path: Path) -> None:
    with embedded_servers(tmp_path / "servers", durable=False, database_url="postgresql://given/db") as urls:
        assert urls.database_url == "postgresql://given/db"
        assert len(processes_in(tmp_path)) == 1
        with redis.Redis.from_url(urls.redis_url) as client:
            assert client.ping()


def test_a_folder_in_use_is_refused_and_its_servers_are_left_alone(tmp_path: Path) -> None:
    with embedded_servers(tmp_path / "servers", durable=False) as urls:
        with pytest.raises(Conflict, match="in use"), embedded_servers(tmp_path / "servers", durable=False):
            pass
        assert fetch(urls.database_url, "SELECT 1") == 1


def test_a_failed_start_says_why_and_leaves_nothing_running(tmp_path: Path) -> None:
    with embedded_servers(tmp_path / "servers", durable=False):
        pass
    (tmp_path / "servers/postgres/cluster/PG_VERSION").write_text("9.6\n")
    with (
        pytest.raises(ServerFailed, match=r"PostgreSQL ended with(.|\n)*9\.6"),
        embedded_servers(tmp_path / "servers", durable=False),
    ):
        pass
    assert processes_in(tmp_path) == []


def test_an_interrupted_initialisation_is_begun_again(tmp_path: Path) -> None:
    half_made = tmp_path / "servers/postgres/cluster.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    with embedded_servers(tmp_path / "servers", durable=False) as urls:
        assert fetch(urls.database_url, "SELECT 1") == 1


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda s: s.name)
def test_servers_end_with_their_owner(
    ending: signal.Signals, tmp_path: Path, start_owner: Callable[[str], subprocess.Popen[str]]
) -> None:
    owner = start_owner(OWNER)
    assert owner.stdout is not None
    assert "postgresql://" in owner.stdout.readline()
    assert len(processes_in(tmp_path)) >= 2
    owner.send_signal(ending)
    owner.wait()
    assert wait_for(lambda: not processes_in(tmp_path))


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.4])
def test_an_interruption_during_the_start_leaves_nothing(
    delay: float, tmp_path: Path, start_owner: Callable[[str], subprocess.Popen[str]]
) -> None:
    owner = start_owner(OWNER)
    assert wait_for((tmp_path / "servers").exists)
    time.sleep(delay)
    owner.send_signal(signal.SIGINT)
    owner.wait()
    assert wait_for(lambda: not processes_in(tmp_path))


def test_next_start_ends_servers_of_a_killed_owner_and_keeps_their_data(
    tmp_path: Path, start_owner: Callable[[str], subprocess.Popen[str]]
) -> None:
    owner = start_owner(UNTETHERED_OWNER)
    assert owner.stdout is not None
    database_url = owner.stdout.readline().split()[0]
    fetch(database_url, "CREATE TABLE kept AS SELECT 42 AS answer")
    owner.kill()
    owner.wait()
    orphans = processes_in(tmp_path)
    assert fetch(database_url, "SELECT 1") == 1

    with embedded_servers(tmp_path / "servers", durable=True) as urls:
        assert not set(orphans) & set(processes_in(tmp_path))
        assert fetch(urls.database_url, "SELECT answer FROM kept") == 42
    assert processes_in(tmp_path) == []


def test_temporary_servers_leave_no_folder_and_clear_away_abandoned_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    abandoned = tmp_path / f"flexiprice-{os.getuid()}-abandoned"
    with embedded_servers(abandoned, durable=False):
        pass
    with temporary_servers() as urls:
        assert fetch(urls.database_url, "SELECT 1") == 1
        assert not abandoned.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"pip install 'flexiprice\[embedded\]'"):
        wheels.valkey_program()
