"""Connections by every kind of FLEXIPRICE_REDIS_URL, to real servers."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from arq.connections import ArqRedis

from flexiprice.embedded.child_process import free_port
from flexiprice.errors import InvalidSettings, RedisUnavailable
from flexiprice.queue.redis.connection import create_redis, redis_errors
from flexiprice.settings import load_settings
from tests.support.processes import wait_for
from tests.support.redis_servers import (
    RedisServers,
    make_certificates,
    redis_servers,
    until_answering,
    until_replicated,
)

PASSWORD = "p@ss/word"
QUOTED = "p%40ss%2Fword"


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[RedisServers]:
    """Valkey servers with options of the test's choice."""
    with redis_servers(tmp_path) as servers:
        yield servers


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[ArqRedis]:
    client = create_redis(load_settings(env_files=(), redis_url=url), client_name="flexiprice-tests")
    try:
        yield client
    finally:
        await client.aclose(close_connection_pool=True)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ca.pem`, and `key.pem` and `cert.pem` for localhost."""
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


@asynccontextmanager
async def tls_in_front_of(redis_url: str, certificates: Path) -> AsyncIterator[int]:
    """The port of a TLS server that passes everything on to a Redis."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    parts = urlsplit(redis_url)

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(copy(reader, back_writer), copy(back_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_plain_url_connects_to_its_database_under_our_name(redis_url: str):
    async with connected(redis_url) as client:
        assert await client.ping()
        assert await client.client_getname() == "flexiprice-tests"


async def test_a_unix_socket_is_reached(servers: RedisServers, tmp_path: Path):
    socket = tmp_path / "valkey.sock"
    servers.start("--port", "0", "--unixsocket", str(socket), "--requirepass", PASSWORD)
    until_answering_socket(socket)

    async with connected(f"unix://{socket}?db=2&password={QUOTED}") as client:
        assert await client.set("where", "here")
    async with connected(f"unix://:{QUOTED}@{socket}?db=2") as client:
        assert await client.get("where") == b"here"


def until_answering_socket(socket: Path) -> None:
    with redis.Redis(unix_socket_path=str(socket), password=PASSWORD) as client:
        until_answering(client)


async def test_tls_is_spoken_with_a_server_whose_certificate_holds(redis_url: str, certificates: Path):
    async with tls_in_front_of(redis_url, certificates) as port:
        password = urlsplit(redis_url).password or ""
        trusted = f"ssl_ca_certs={certificates / 'ca.pem'}"
        account = f":{password}@" if password else ""

        async with connected(f"rediss://{account}localhost:{port}/0?{trusted}") as client:
            assert await client.ping()
        for untrusted in (
            f"rediss://{account}localhost:{port}/0",
            f"rediss://{account}127.0.0.1:{port}/0?{trusted}",
        ):
            async with connected(untrusted) as client:
                with pytest.raises(RedisUnavailable), redis_errors():
                    await client.ping()


async def test_a_proxy_that_ends_every_connection_at_once_is_a_redis_that_is_away():
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async with connected(f"redis://127.0.0.1:{port}/0") as client:
        with pytest.raises(RedisUnavailable), redis_errors():
            await client.ping()
    server.close()


async def test_through_sentinel_the_master_is_found_and_when_it_dies_its_heir(
    servers: RedisServers, tmp_path: Path
):
    first, second, sentinel = (free_port(tmp_path / name) for name in ("first", "second", "sentinel"))
    guarded = ["--requirepass", PASSWORD, "--primaryauth", PASSWORD, "--repl-diskless-sync-delay", "0"]
    master = servers.start("--port", str(first), *guarded)
    servers.start("--port", str(second), *guarded, "--replicaof", f"127.0.0.1 {first}")
    stores = [redis.Redis(port=port, password=PASSWORD, db=3) for port in (first, second)]
    until_replicated(*stores)
    servers.start(
        sentinel=True,
        conf=f"port {sentinel}\nrequirepass sentinels\n"
        f"sentinel monitor prices 127.0.0.1 {first} 1\n"
        "sentinel down-after-milliseconds prices 200\n"
        f'sentinel auth-pass prices "{PASSWORD}"\n',
    )
    watch = redis.Redis(port=sentinel, password="sentinels", decode_responses=True)
    until_answering(watch)
    url = f"redis+sentinel://:{QUOTED}@127.0.0.1:1,127.0.0.1:{sentinel}/prices/3?sentinel_password=sentinels"

    async with connected(url) as client:
        assert await client.set("where", "first")
        assert stores[0].get("where") == b"first"
        assert await asyncio.to_thread(wait_for, lambda: stores[1].get("where") == b"first")
        assert await asyncio.to_thread(wait_for, lambda: watch.sentinel_slaves("prices"))
        master.kill()
        async with asyncio.timeout(120):
            while stores[1].get("where") != b"second":
                with suppress(RedisUnavailable), redis_errors():
                    await client.set("where", "second")
                await asyncio.sleep(0.05)

    for connection in (*stores, watch):
        connection.close()


@pytest.mark.parametrize(
    "url",
    [
        "redis://h:6379/0?no_such_option=1",
        "redis://h:6379/0?socket_timeout=soon",
        "redis://h:99999999/0",
        "rediss://h:6379/0?ssl_cert_reqs=sometimes",
        "redis+sentinel://h:26379",
        "redis+sentinel://h:port/prices/0",
        "redis+sentinel://:hunter2@h:26379/prices/0?no_such_option=1",
    ],
)
def test_a_url_that_means_nothing_is_refused_by_the_name_of_its_setting(url: str):
    with pytest.raises(InvalidSettings, match="FLEXIPRICE_REDIS_URL") as caught:
        create_redis(load_settings(env_files=(), redis_url=url), client_name="flexiprice-tests")
    assert "hunter2" not in str(caught.value)
