"""How Redis, or Valkey, is: its memory, its clients, and whether it keeps what is entrusted to it.

A user without the right to INFO works all the same; of its server only name and version are known then.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from time import perf_counter
from typing import Any, Final, cast

from flexiprice.errors import InvalidSettings
from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.redis.replies import RedisRefusal
from flexiprice.queue.snapshot import text

_NEARLY_FULL: Final = 0.9
_DATABASE: Final = re.compile(r"db\d+")


class BrokerRisk(StrEnum):
    """What about a broker's settings puts jobs at risk.

    `evicts` drops keys when memory is short; `forgets` loses what waits where it ends badly; `nearly_full`
    uses more than nine tenths of the memory that it may use.
    """

    EVICTS = "evicts"
    FORGETS = "forgets"
    NEARLY_FULL = "nearly_full"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerInfo:
    """A broker at one moment.

    Attributes:
        product: Redis or Valkey.
        version: its version.
        role: `master` or `slave`, as it says.
        uptime: since it was started.
        used_memory: bytes that it uses.
        peak_memory: bytes that it used at most.
        max_memory: bytes that it may use; None where there is no limit.
        eviction_policy: what it does when memory is short.
        fragmentation: memory taken from the system for each byte used; None where it does not say.
        clients: connections of clients.
        max_clients: connections that it allows; None where it does not say.
        blocked_clients: those that wait for something.
        commands_per_second: as it says of the last moment.
        keys: keys in all its databases.
        appends: it writes every change to a file.
        last_saved_at: when it last wrote all to a file; None where it never did.
        answered_in: how long this answer took, there and back.
        risks: what about it puts jobs at risk.
    """

    product: str
    version: str
    role: str
    uptime: timedelta
    used_memory: int
    peak_memory: int
    max_memory: int | None
    eviction_policy: str
    fragmentation: float | None
    clients: int
    max_clients: int | None
    blocked_clients: int
    commands_per_second: int
    keys: int
    appends: bool
    last_saved_at: datetime | None
    answered_in: timedelta
    risks: tuple[BrokerRisk, ...]


async def read_broker_info(redis: ArqRedis) -> BrokerInfo:
    """Asks a broker how it is.

    Raises:
        RedisUnavailable: it does not answer.
        InvalidSettings: its user may not ask that; the message tells the right that is missing.
    """
    with redis_errors():
        asked_at = perf_counter()
        facts: Mapping[str, Any] = await redis.info()
        answered_in = timedelta(seconds=perf_counter() - asked_at)
    max_memory = int(facts.get("maxmemory") or 0) or None
    saved_at = int(facts.get("rdb_last_save_time") or 0)
    # It counts its start as a save.
    has_saved = bool(facts.get("rdb_saves", 1)) and saved_at > 0
    return BrokerInfo(
        product="Valkey" if "valkey_version" in facts else "Redis",
        version=str(facts.get("valkey_version") or facts.get("redis_version") or "?"),
        role=str(facts.get("role", "?")),
        uptime=timedelta(seconds=int(facts.get("uptime_in_seconds", 0))),
        used_memory=int(facts.get("used_memory", 0)),
        peak_memory=int(facts.get("used_memory_peak", 0)),
        max_memory=max_memory,
        eviction_policy=str(facts.get("maxmemory_policy", "noeviction")),
        fragmentation=_number(facts.get("mem_fragmentation_ratio")),
        clients=int(facts.get("connected_clients", 0)),
        max_clients=int(facts.get("maxclients") or 0) or None,
        blocked_clients=int(facts.get("blocked_clients", 0)),
        commands_per_second=int(facts.get("instantaneous_ops_per_sec", 0)),
        keys=_keys(facts),
        appends=bool(facts.get("aof_enabled")),
        last_saved_at=datetime.fromtimestamp(saved_at, tz=UTC) if has_saved else None,
        answered_in=answered_in,
        risks=_risks(facts, max_memory),
    )


async def find_broker_info(redis: ArqRedis) -> BrokerInfo | None:
    """How a broker is; None where its user may not ask that.

    Raises:
        RedisUnavailable: it does not answer.
    """
    try:
        return await read_broker_info(redis)
    except InvalidSettings as error:
        if isinstance(error.__cause__, RedisRefusal):
            return None
        raise


async def read_broker_version(redis: ArqRedis) -> str:
    """Name and version of a broker, for which any user may ask.

    Raises:
        RedisUnavailable: it does not answer.
        InvalidSettings: it refuses us.
    """
    with redis_errors():
        execute = cast("Callable[..., Awaitable[list[Any]]]", redis.execute_command)
        facts = await execute("HELLO")
    told = {str(text(name)): value for name, value in zip(facts[::2], facts[1::2], strict=False)}
    product = "Valkey" if told.get("server") == b"valkey" else "Redis"
    return f"{product} {text(told.get('version', b'?'))}"


async def probe_writes(redis: ArqRedis) -> None:
    """Makes sure that a broker takes writes; what it writes is gone at once.

    Raises:
        RedisUnavailable: it does not answer, or refuses writes for now.
        InvalidSettings: it refuses us.
    """
    with redis_errors():
        await redis.set(keys.WRITE_PROBE, b"", px=1)


async def probe_publishing(redis: ArqRedis) -> None:
    """Makes sure that we may publish, to a channel on which nobody minds it.

    Raises:
        RedisUnavailable: the broker does not answer.
        InvalidSettings: it refuses us.
    """
    with redis_errors():
        await redis.publish(keys.NOTHING, b"")


def _risks(facts: Mapping[str, Any], max_memory: int | None) -> tuple[BrokerRisk, ...]:
    found: list[BrokerRisk] = []
    # Without a limit too: one may be set at any time, and managed servers have one that they do not tell.
    if facts.get("maxmemory_policy", "noeviction") != "noeviction":
        found.append(BrokerRisk.EVICTS)
    if not facts.get("aof_enabled"):
        found.append(BrokerRisk.FORGETS)
    if max_memory is not None and int(facts.get("used_memory", 0)) > max_memory * _NEARLY_FULL:
        found.append(BrokerRisk.NEARLY_FULL)
    return tuple(found)


def _keys(facts: Mapping[str, Any]) -> int:
    databases = [cast("Mapping[str, int]", facts[name]) for name in facts if _DATABASE.fullmatch(name)]
    return sum(of_one["keys"] for of_one in databases)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
