"""Who has sent too many wrong keys: counted in Redis for all processes, and refused from memory."""

import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from arq.connections import ArqRedis

from flexiprice.jobs.keys import failed_keys_key
from flexiprice.jobs.redis import UNAVAILABLE
from flexiprice.telemetry import get_logger

_WINDOW_SECONDS: Final = 60
_MOST_ADDRESSES: Final = 10_000

_log = get_logger(__name__)


class FailedKeys:
    """Counts wrong keys by the client's address, for a minute from the first.

    A process asks Redis only when a wrong key comes, so whoever has a good key never waits for it. Where
    Redis is away, each process counts on its own, and nobody is refused for that.
    """

    def __init__(self, redis: ArqRedis, *, limit: int) -> None:
        self._redis = redis
        self._limit = limit
        # How many, and until which instant of the monotonic clock they count.
        self._counted: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def seconds_to_wait(self, address: str) -> int:
        """How long no key of this address is looked at any more; 0 where it is."""
        count, until = self._counted.get(_counted_as(address), (0, 0.0))
        left = until - time.monotonic()
        return int(left) + 1 if count >= self._limit and left > 0 else 0

    async def note(self, address: str) -> None:
        """Counts a wrong key."""
        name = _counted_as(address)
        count, until = self._counted.pop(name, (0, 0.0))
        if until <= time.monotonic():
            count, until = 0, time.monotonic() + _WINDOW_SECONDS
        count += 1
        try:
            everywhere, seconds = await self._count_everywhere(name)
            if everywhere > count:
                count, until = everywhere, time.monotonic() + seconds
        except UNAVAILABLE:
            _log.warning("wrong keys are counted by this process alone: Redis does not answer")
        self._counted[name] = count, until
        if len(self._counted) > _MOST_ADDRESSES:
            self._counted.popitem(last=False)
        if count >= self._limit:
            _log.warning("too many wrong keys", address=address, limit=self._limit)

    async def _count_everywhere(self, name: str) -> tuple[int, int]:
        key = failed_keys_key(name)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.set(key, 0, ex=_WINDOW_SECONDS, nx=True)
            pipeline.incr(key)
            pipeline.ttl(key)
            _, count, seconds = await pipeline.execute()
        return int(count), max(1, int(seconds))


def _counted_as(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:100]
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    # A household has a whole /64 to choose its addresses from.
    return str(ip_network((int(parsed), 64), strict=False))
