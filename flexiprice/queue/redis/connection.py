"""Creates clients of Redis or Valkey over TCP, TLS, Unix sockets or Sentinel. They connect on first use."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, TypeVar, cast

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import EqualJitterBackoff
from redis.exceptions import BusyLoadingError, NoScriptError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from flexiprice.errors import InvalidSettings, RedisUnavailable
from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis import codec
from flexiprice.queue.redis.repair import RepairingRedis
from flexiprice.queue.redis.replies import (
    CLUSTER_REFUSED,
    SENTINEL_REFUSED,
    RedisNotReady,
    RedisRefusal,
    ReplyParser,
    sentence_of,
)
from flexiprice.queue.redis.url import connection_options, sentinel_options
from flexiprice.settings import PREFIX, Settings
from flexiprice.telemetry import without_secrets

# Errors that mean an outage, a restart, full memory, read-only mode or a failover of Redis.
UNAVAILABLE: Final = (
    RedisConnectionError,
    RedisTimeoutError,
    RedisNotReady,
    BusyLoadingError,
    # After a failover, the new master does not have the loaded scripts.
    NoScriptError,
    OSError,
)

# A command without a reply is not sent again: only the caller knows whether it is idempotent.
_RETRY: Final = Retry(
    EqualJitterBackoff(cap=0.5, base=0.02), retries=4, supported_errors=(RedisConnectionError,)
)

RedisT = TypeVar("RedisT", bound=ArqRedis)


@contextmanager
def redis_errors() -> Generator[None]:
    """Converts errors of redis-py to ours.

    Raises:
        RedisUnavailable: Redis does not answer, or temporarily refuses the command.
        InvalidSettings: Redis refuses this client until its configuration changes.
    """
    try:
        yield
    except RedisRefusal as error:
        raise refused(error) from error
    except UNAVAILABLE as error:
        if isinstance(error, RedisNotReady):
            raise RedisUnavailable(f"{sentence_of(error)}; try again", answers=True) from error
        raise RedisUnavailable(f"Redis does not answer: {without_secrets(str(error))}") from error


def refused(error: RedisRefusal) -> InvalidSettings:
    """Converts a refusal to an error of the configuration."""
    return InvalidSettings(f"{PREFIX}REDIS_URL: {sentence_of(error)}")


def create_redis(settings: Settings, *, client_name: str) -> ArqRedis:
    """Creates a client for the Redis of the settings. It connects on first use.

    Args:
        settings: the program's settings.
        client_name: name of its connections in `CLIENT LIST`.

    Raises:
        InvalidSettings: the URL is missing or has an unknown option.
    """
    return create_redis_of(RepairingRedis, settings, client_name=client_name)


def create_redis_of(
    kind: type[RedisT], settings: Settings, *, client_name: str, **connection_options: object
) -> RedisT:
    """Like `create_redis`, for a subclass of arq's client and with more connection options of redis-py.

    Raises:
        InvalidSettings: the URL is missing or has an unknown option.
    """
    url = settings.require_redis_url()
    options: dict[str, Any] = {
        "client_name": client_name,
        "health_check_interval": 15,
        "parser_class": ReplyParser,
        # Newer versions of redis-py default to RESP3, in which some replies have another format.
        "protocol": 2,
        "redis_connect_func": sign_in,
        "retry": _RETRY,
        "retry_on_error": [RedisConnectionError],
        "socket_connect_timeout": 2.0,
        "socket_timeout": 5.0,
        **connection_options,
    }
    try:
        pool = _sentinel_pool(url, options) if "+sentinel://" in url else _pool(url, options)
        # Making an unused connection validates the URL's options.
        pool.make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, RedisError) as error:
        # These messages are about options, which contain no part of the password.
        raise InvalidSettings(f"{PREFIX}REDIS_URL: {without_secrets(str(error))}") from None
    return kind(pool, job_serializer=codec.encode, job_deserializer=codec.decode)


async def sign_in(connection: AbstractConnection) -> None:
    """Initialises a new connection like redis-py, but without a health check.

    A failed health check reconnects, which runs this function again. With a server that accepts connections
    and closes them at once, such as a proxy before a dead Redis, the recursion would not end.

    Raises:
        RedisRefusal: the server refuses this client, or is a cluster or a sentinel.
    """
    connection.next_health_check = asyncio.get_running_loop().time() + connection.health_check_interval
    await connection.on_connect()
    # Every user may run HELLO, even without permission for INFO.
    await connection.send_command("HELLO", check_health=False)
    try:
        facts = cast("list[object]", await connection.read_response())
    except ResponseError:
        # Perhaps a proxy. Unsupported commands fail when they are used.
        return
    mode = dict(zip(facts[::2], facts[1::2], strict=False)).get(b"mode")
    if mode == b"cluster":
        raise RedisRefusal(CLUSTER_REFUSED)
    if mode == b"sentinel":
        raise RedisRefusal(SENTINEL_REFUSED)


class _SentinelPool(SentinelConnectionPool):
    """A pool that closes the connections to the sentinels together with those to the master."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        # Otherwise this is a failover, which closes only idle connections.
        if inuse_connections:
            sentinels = cast("list[Redis]", self.sentinel_manager.sentinels)
            for sentinel in sentinels:
                await sentinel.aclose()


def _pool(url: str, options: dict[str, Any]) -> ConnectionPool:
    from_url = connection_options(url)
    if not url.startswith("unix://"):
        options["socket_keepalive"] = True
    return ConnectionPool(**(options | from_url))


def _sentinel_pool(url: str, options: dict[str, Any]) -> SentinelConnectionPool:
    from_url, own, sentinels, service = sentinel_options(url)
    keepalive = {"socket_keepalive": True}
    sentinel_kwargs = {**keepalive, "socket_connect_timeout": 2.0, "socket_timeout": 2.0, **own}
    manager = Sentinel(sentinels, sentinel_kwargs=sentinel_kwargs)  # type: ignore[no-untyped-call]
    return _SentinelPool(service, manager, **(options | keepalive | from_url))  # type: ignore[no-untyped-call]
