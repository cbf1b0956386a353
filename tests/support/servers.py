"""The real PostgreSQL and Redis that the tests run on, and how a test gets a database of its own."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import redis

from flexiprice.embedded.servers import ServerUrls, temporary_servers

OTHER_POSTGRES = "FLEXIPRICE_TEST_DATABASE_URL"
OTHER_REDIS = "FLEXIPRICE_TEST_REDIS_URL"


@contextmanager
def running_servers(environment: Mapping[str, str]) -> Iterator[ServerUrls]:
    """Embedded servers, or those that the two variables name: to try other versions."""
    database_url, redis_url = environment.get(OTHER_POSTGRES), environment.get(OTHER_REDIS)
    with ExitStack() as stack:
        if not (database_url and redis_url):
            embedded = stack.enter_context(temporary_servers(database_url=database_url, redis_url=redis_url))
            database_url, redis_url = embedded.database_url, embedded.redis_url
        yield ServerUrls(database_url, redis_url)


def with_database(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def execute(url: str, *statements: str) -> None:
    """Runs statements outside a transaction."""
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def database(url: str, name: str, *, template: str = "template1") -> Iterator[str]:
    """A new database, dropped afterwards with its connections."""
    asyncio.run(execute(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', create(name, template)))
    try:
        yield with_database(url, name)
    finally:
        asyncio.run(execute(url, drop(name)))


def create(name: str, template: str) -> str:
    """The statement that copies a database."""
    return f'CREATE DATABASE "{name}" TEMPLATE "{template}"'


def drop(name: str) -> str:
    """The statement that drops a database and ends who is connected."""
    return f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'


def unique(kind: str) -> str:
    """A database name that no other run of the tests on the same server uses."""
    return f"flexiprice_test_{kind}_{os.getpid()}"


def flush(redis_url: str) -> None:
    """Empties the Redis database of a URL."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
