"""Connections to Redis, or Valkey: by TCP, TLS, Unix socket or through Sentinel; opened on first use."""

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

# What Redis being away, restarting, full, read-only or changing its master looks like from here.
UNAVAILABLE: Final = (
    RedisConnectionError,
    RedisTimeoutError,
    RedisNotReady,
    BusyLoadingError,
    # A script that was loaded on one master and is called on the next.
    NoScriptError,
    OSError,
)

# A command that was sent and never answered is not sent again: whoever asked knows better what to do.
_RETRY: Final = Retry(
    EqualJitterBackoff(cap=0.5, base=0.02), retries=4, supported_errors=(RedisConnectionError,)
)

RedisT = TypeVar("RedisT", bound=ArqRedis)


@contextmanager
def redis_errors() -> Generator[None]:
    """Turns what Redis being away, or refusing us, looks like into our own errors.

    Raises:
        RedisUnavailable: it does not answer, or does not do for now what it is asked.
        InvalidSettings: it refuses us, and will until somebody changes that.
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
    """What a refusal is to an operator: something about the configuration."""
    return InvalidSettings(f"{PREFIX}REDIS_URL: {sentence_of(error)}")


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
        "parser_class": ReplyParser,
        # Newer versions of redis-py would speak RESP3, in which some replies have another shape.
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
        # A connection that is made here and thrown away shows what is wrong with the URL's options.
        pool.make_connection()  # type: ignore[no-untyped-call]
    except (TypeError, ValueError, RedisError) as error:
        # What is wrong with an option is told; none of them holds a part of the password.
        raise InvalidSettings(f"{PREFIX}REDIS_URL: {without_secrets(str(error))}") from None
    return kind(pool, job_serializer=codec.encode, job_deserializer=codec.decode)


async def sign_in(connection: AbstractConnection) -> None:
    """What redis-py does on a new connection, without asking first whether it still lives.

    Where it does not, to ask means to connect anew, and so to sign in and to ask: with a server that accepts
    connections and ends them at once, such as a proxy in front of a dead Redis, that would have no end.

    Raises:
        RedisRefusal: the server refuses us, or is one of a kind that FlexiPrice cannot work with.
    """
    connection.next_health_check = asyncio.get_running_loop().time() + connection.health_check_interval
    await connection.on_connect()
    # Any user may ask this, one without the right to INFO too.
    await connection.send_command("HELLO", check_health=False)
    try:
        facts = cast("list[object]", await connection.read_response())
    except ResponseError:
        # A proxy, perhaps; what the server does not support it says when it is asked for it.
        return
    mode = dict(zip(facts[::2], facts[1::2], strict=False)).get(b"mode")
    if mode == b"cluster":
        raise RedisRefusal(CLUSTER_REFUSED)
    if mode == b"sentinel":
        raise RedisRefusal(SENTINEL_REFUSED)


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
    from_url = connection_options(url)
    if not url.startswith("unix://"):
        options["socket_keepalive"] = True
    return ConnectionPool(**(options | from_url))


def _sentinel_pool(url: str, options: dict[str, Any]) -> SentinelConnectionPool:
    from_url, own, sentinels, service = sentinel_options(url)
    alive = {"socket_keepalive": True}
    sentinel_kwargs = {**alive, "socket_connect_timeout": 2.0, "socket_timeout": 2.0, **own}
    manager = Sentinel(sentinels, sentinel_kwargs=sentinel_kwargs)  # type: ignore[no-untyped-call]
    return _SentinelPool(service, manager, **(options | alive | from_url))  # type: ignore[no-untyped-call]
