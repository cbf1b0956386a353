"""Connections to Redis, or Valkey: by TCP, TLS, Unix socket or through Sentinel; opened on first use."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

from arq.connections import ArqRedis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import EqualJitterBackoff
from redis.exceptions import BusyLoadingError, NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from flexiprice.errors import InvalidSettings, RedisUnavailable
from flexiprice.jobs import codec
from flexiprice.jobs.repairing import RepairingRedis
from flexiprice.settings import PREFIX, Settings
from flexiprice.telemetry import without_secrets

# What Redis being away, restarting, full or changing its master looks like from here.
UNAVAILABLE: Final = (
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    OutOfMemoryError,
    ReadOnlyError,
    # A script that was loaded on one master and is called on the next.
    NoScriptError,
    OSError,
)

# A command that was sent and never answered is not sent again: whoever asked knows better what to do.
_RETRY: Final = Retry(
    EqualJitterBackoff(cap=0.5, base=0.02), retries=4, supported_errors=(RedisConnectionError,)
)
_SENTINEL_PORT: Final = 26379

RedisT = TypeVar("RedisT", bound=ArqRedis)


@contextmanager
def redis_errors() -> Generator[None]:
    """Turns what Redis being away looks like into `RedisUnavailable`."""
    try:
        yield
    except UNAVAILABLE as error:
        raise RedisUnavailable(f"Redis does not answer: {without_secrets(str(error))}") from error


def create_redis(settings: Settings, *, client_name: str) -> ArqRedis:
    """A client of the Redis that the settings name; it connects on first use.

    Args:
        settings: where Redis is.
        client_name: the name that its connections carry in `CLIENT LIST`.

    Raises:
        InvalidSettings: the URL is missing, or has an option that does not exist.
    """
    return create_redis_of(RepairingRedis, settings, client_name=client_name)


def create_redis_of(
    kind: type[RedisT], settings: Settings, *, client_name: str, **connection_options: object
) -> RedisT:
    """As `create_redis`, for a subclass of arq's client, and with redis-py's connection options on top.

    Raises:
        InvalidSettings: the URL is missing, or has an option that does not exist.
    """
    url = settings.require_redis_url()
    options: dict[str, Any] = {
        "client_name": client_name,
        "health_check_interval": 15,
        "redis_connect_func": sign_in,
        "retry": _RETRY,
        "retry_on_error": [RedisConnectionError],
        "socket_connect_timeout": 2.0,
        "socket_timeout": 5.0,
        **connection_options,
    }
    try:
        pool = _sentinel_pool(url, options) if "+sentinel://" in url else _pool(url, options)
        # A connection that is made here and thrown away shows what is wrong with the URL's options.
        pool.make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, RedisError) as error:
        raise InvalidSettings(f"{PREFIX}REDIS_URL: {without_secrets(str(error))}") from None
    return kind(pool, job_serializer=codec.encode, job_deserializer=codec.decode)


async def sign_in(connection: AbstractConnection) -> None:
    """What redis-py does on a new connection, without asking first whether it still lives.

    Where it does not, to ask means to connect anew, and so to sign in and to ask: with a server that accepts
    connections and ends them at once, such as a proxy in front of a dead Redis, that would have no end.
    """
    connection.next_health_check = asyncio.get_running_loop().time() + connection.health_check_interval
    await connection.on_connect()


class _SentinelPool(SentinelConnectionPool):
    """Closes the connections to the sentinels together with those to the master."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        # Otherwise the master has moved, and only what is idle is closed.
        if inuse_connections:
            sentinels = cast("list[Redis]", self.sentinel_manager.sentinels)
            for sentinel in sentinels:
                await sentinel.aclose()


def _pool(url: str, options: dict[str, Any]) -> ConnectionPool:
    from_url: dict[str, Any] = {**parse_url(url)}
    if from_url.get("connection_class") is SSLConnection:
        from_url.setdefault("ssl_check_hostname", True)
    if not url.startswith("unix://"):
        options["socket_keepalive"] = True
    return ConnectionPool(**(options | from_url))


def _sentinel_pool(url: str, options: dict[str, Any]) -> SentinelConnectionPool:
    """The pool for `redis+sentinel://[user:password@]host:port,host:port/service/database?option=value`.

    User and password are those of the master; those of the sentinels, where they have any, are options
    called `sentinel_username` and `sentinel_password`. Other options are as for `redis://`.
    """
    parts = urlsplit(url)
    user_info, _, hosts = parts.netloc.rpartition("@")
    service, _, database = parts.path.strip("/").partition("/")
    if not service or not hosts:
        raise ValueError("must name the sentinels and the service: redis+sentinel://host:26379/service/0")
    query = f"?{parts.query}" if parts.query else ""
    # Credentials, database and options mean what they mean in a plain URL, so the plain parser reads them.
    scheme = parts.scheme.removesuffix("+sentinel")
    plain = f"{scheme}://{user_info}{'@' if user_info else ''}sentinel/{database or 0}{query}"
    from_url: dict[str, Any] = {**parse_url(plain)}
    for name in ("host", "connection_class"):
        from_url.pop(name, None)
    own = {name: from_url.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    shared: dict[str, Any] = {"socket_keepalive": True}
    if scheme == "rediss":
        shared |= {"ssl": True, "ssl_check_hostname": True}
        shared |= {name: value for name, value in from_url.items() if name.startswith("ssl_")}
    sentinel_options = {**shared, "socket_connect_timeout": 2.0, "socket_timeout": 2.0}
    sentinel_options |= {name: value for name, value in own.items() if value is not None}
    sentinels = [_address(host) for host in hosts.split(",")]
    manager = Sentinel(sentinels, sentinel_kwargs=sentinel_options)  # type: ignore[no-untyped-call]
    return _SentinelPool(service, manager, **(options | shared | from_url))  # type: ignore[no-untyped-call]


def _address(host: str) -> tuple[str, int]:
    name, separator, port = host.strip().rpartition(":")
    if not separator or host.endswith("]"):
        return host.strip().strip("[]"), _SENTINEL_PORT
    return unquote(name).strip("[]"), int(port)
