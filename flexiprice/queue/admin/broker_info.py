"""Reads the state of Redis or Valkey: memory, clients, and settings that put jobs at risk.

A user without permission for INFO works too; then only the product and its version are known.
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
from flexiprice.queue.snapshot import decode_text

_NEARLY_FULL: Final = 0.9
_DATABASE: Final = re.compile(r"db\d+")


class BrokerRisk(StrEnum):
    """A risk for jobs in the settings or state of a broker.

    `evicts`: drops keys when memory is short. `forgets`: loses waiting jobs in a crash. `nearly_full`: uses
    more than 90 % of its memory limit.
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
        role: `master` or `slave`.
        uptime: time since its start.
        used_memory: used memory in bytes.
        peak_memory: maximum of the used memory in bytes.
        max_memory: memory limit in bytes; None without a limit.
        eviction_policy: its `maxmemory-policy`.
        fragmentation: ratio of resident to used memory; None if unknown.
        clients: number of client connections.
        max_clients: maximum of connections; None if unknown.
        blocked_clients: number of blocked connections.
        commands_per_second: current rate of commands.
        keys: number of keys in all databases.
        appends: whether it writes an append-only file.
        last_saved_at: time of its last snapshot; None without one.
        answered_in: round-trip time of this request.
        risks: risks for jobs.
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
    """Reads the state of a broker.

    Raises:
        RedisUnavailable: Redis does not answer.
        InvalidSettings: our user may not run INFO; the message names the missing permission.
    """
    with redis_errors():
        asked_at = perf_counter()
        facts: Mapping[str, Any] = await redis.info()
        answered_in = timedelta(seconds=perf_counter() - asked_at)
    max_memory = int(facts.get("maxmemory") or 0) or None
    saved_at = int(facts.get("rdb_last_save_time") or 0)
    # Redis counts its start as a save.
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
    """Reads the state of a broker; None if our user may not run INFO.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    try:
        return await read_broker_info(redis)
    except InvalidSettings as error:
        if isinstance(error.__cause__, RedisRefusal):
            return None
        raise


async def read_broker_version(redis: ArqRedis) -> str:
    """Returns the product and version of a broker, which every user may read.

    Raises:
        RedisUnavailable: Redis does not answer.
        InvalidSettings: Redis refuses this client.
    """
    with redis_errors():
        execute = cast("Callable[..., Awaitable[list[Any]]]", redis.execute_command)
        facts = await execute("HELLO")
    fields = {str(decode_text(name)): value for name, value in zip(facts[::2], facts[1::2], strict=False)}
    product = "Valkey" if fields.get("server") == b"valkey" else "Redis"
    return f"{product} {decode_text(fields.get('version', b'?'))}"


async def probe_writes(redis: ArqRedis) -> None:
    """Checks that a broker accepts writes, with a key that expires at once.

    Raises:
        RedisUnavailable: Redis does not answer or temporarily refuses writes.
        InvalidSettings: Redis refuses this client.
    """
    with redis_errors():
        await redis.set(keys.WRITE_PROBE, b"", px=1)


async def probe_publishing(redis: ArqRedis) -> None:
    """Checks the permission to publish, on a channel without subscribers.

    Raises:
        RedisUnavailable: Redis does not answer.
        InvalidSettings: Redis refuses this client.
    """
    with redis_errors():
        await redis.publish(keys.NOTHING, b"")


def _risks(facts: Mapping[str, Any], max_memory: int | None) -> tuple[BrokerRisk, ...]:
    found: list[BrokerRisk] = []
    # Also without a limit: one may be set later, and managed servers hide theirs.
    if facts.get("maxmemory_policy", "noeviction") != "noeviction":
        found.append(BrokerRisk.EVICTS)
    if not facts.get("aof_enabled"):
        found.append(BrokerRisk.FORGETS)
    if max_memory is not None and int(facts.get("used_memory", 0)) > max_memory * _NEARLY_FULL:
        found.append(BrokerRisk.NEARLY_FULL)
    return tuple(found)


def _keys(facts: Mapping[str, Any]) -> int:
    databases = [cast("Mapping[str, int]", facts[name]) for name in facts if _DATABASE.fullmatch(name)]
    return sum(database["keys"] for database in databases)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
