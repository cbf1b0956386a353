"""Rate limit of wrong keys per address: counted in Redis for all processes, enforced from memory."""

import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from redis.exceptions import RedisError

from flexiprice.errors import TooManyWrongKeys
from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis.connection import UNAVAILABLE
from flexiprice.queue.redis.keys import failed_keys_key
from flexiprice.queue.redis.replies import sentence_of
from flexiprice.telemetry import get_logger

_WINDOW_SECONDS: Final = 60
_MOST_ADDRESSES: Final = 10_000

_LOGGER = get_logger(__name__)


class FailedKeyLimiter:
    """Counts wrong keys per client address, for a minute from the first.

    A process uses Redis only for wrong keys, so a valid key never waits for it. While Redis is unavailable,
    each process counts on its own, and no request fails because of that.
    """

    def __init__(self, redis: ArqRedis, *, limit: int) -> None:
        self._redis = redis
        self._limit = limit
        # Count per address, and the instant of the monotonic clock at which it expires.
        self._counted: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def require_below_limit(self, address: str) -> None:
        """Checks that a key of this address may be checked.

        Raises:
            TooManyWrongKeys: the address has reached the limit.
        """
        self._refuse_beyond(address, most=self._limit - 1)

    async def record(self, address: str) -> None:
        """Counts a wrong key: first in this process without awaiting, then in Redis for all processes.

        Raises:
            TooManyWrongKeys: the address has exceeded the limit.
        """
        self._refuse_beyond(address, most=self._limit - 1)
        name = counted_as(address)
        # At once: another guess that comes while Redis is asked must find this one counted.
        self._keep(name, 1, time.monotonic() + _WINDOW_SECONDS)
        try:
            total, seconds = await self._count_in_redis(name)
            self._keep(name, 0, time.monotonic() + seconds, at_least=total)
        except (*UNAVAILABLE, RedisError) as error:
            _LOGGER.warning("wrong_keys_counted_locally", reason=sentence_of(error))
        if self._counted.get(name, (0, 0.0))[0] >= self._limit:
            _LOGGER.warning("too_many_wrong_keys", address=address, limit=self._limit)
        self._refuse_beyond(address, most=self._limit)

    def _keep(self, name: str, more: int, until: float, *, at_least: int = 0) -> None:
        count, known_until = self._counted.pop(name, (0, 0.0))
        if known_until <= time.monotonic():
            count, known_until = 0, until
        count += more
        if at_least > count:
            count, known_until = at_least, until
        self._counted[name] = count, known_until
        if len(self._counted) > _MOST_ADDRESSES:
            self._counted.popitem(last=False)

    def _refuse_beyond(self, address: str, *, most: int) -> None:
        count, until = self._counted.get(counted_as(address), (0, 0.0))
        left = until - time.monotonic()
        if count > most and left > 0:
            raise TooManyWrongKeys(int(left) + 1)

    async def _count_in_redis(self, name: str) -> tuple[int, int]:
        key = failed_keys_key(name)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.set(key, 0, ex=_WINDOW_SECONDS, nx=True)
            pipeline.incr(key)
            pipeline.ttl(key)
            _, count, seconds = await pipeline.execute()
        return int(count), max(1, int(seconds))


def counted_as(address: str) -> str:
    """The address or network by which a client is counted."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:100]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    # One client usually owns a whole /64, and may change its address within it.
    return str(ip_network((int(parsed), 64), strict=False))
