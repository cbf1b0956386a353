"""The workers that live now, as they say of themselves in Redis."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from arq.connections import ArqRedis
from pydantic import TypeAdapter, ValidationError

from flexiprice.errors import CorruptMessage
from flexiprice.jobs import codec, keys
from flexiprice.jobs.redis import redis_errors
from flexiprice.settings import Queue

HEARTBEAT_EVERY: Final = timedelta(seconds=3)
# A worker that was silent for so long counts as gone.
LEASE: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorker:
    """What a worker says of itself with each heartbeat.

    Attributes:
        worker_id: unique, and new with each start.
        host: name of the machine.
        pid: process id on it.
        queues: the queues that it consumes.
        tasks: names of the tasks that it knows.
        version: of FlexiPrice.
        concurrency: jobs that it runs at once, per queue.
        started_at: when it began to take jobs.
        seen_at: its latest heartbeat.
    """

    worker_id: str
    host: str
    pid: int
    queues: tuple[Queue, ...]
    tasks: tuple[str, ...]
    version: str
    concurrency: int
    started_at: datetime
    seen_at: datetime


_ADAPTER: Final = TypeAdapter(LiveWorker)


async def announce(redis: ArqRedis, worker: LiveWorker) -> None:
    """Says that a worker lives, for one lease."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.sadd(keys.WORKERS, worker.worker_id)
        pipe.set(keys.worker_key(worker.worker_id), codec.encode(worker), px=LEASE)
        await pipe.execute()


async def withdraw(redis: ArqRedis, worker_id: str) -> None:
    """Says that a worker is gone."""
    async with redis.pipeline(transaction=True) as pipe:
        pipe.srem(keys.WORKERS, worker_id)
        pipe.delete(keys.worker_key(worker_id))
        await pipe.execute()


async def find_live_workers(redis: ArqRedis) -> tuple[LiveWorker, ...]:
    """The workers whose lease has not lapsed, the longest-lived first.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            pipe.smembers(keys.WORKERS)
            members: list[bytes] = [*(await pipe.execute())[0]]
            if not members:
                return ()
            pipe.mget([keys.worker_key(member.decode(errors="replace")) for member in members])
            records: Sequence[bytes | None] = (await pipe.execute())[0]
            gone = [member for member, record in zip(members, records, strict=True) if record is None]
            if gone:
                pipe.srem(keys.WORKERS, *gone)
                await pipe.execute()
    workers = [worker for record in records if record is not None and (worker := _read(record)) is not None]
    return tuple(sorted(workers, key=lambda worker: (worker.started_at, worker.worker_id)))


def _read(record: bytes) -> LiveWorker | None:
    try:
        content: dict[str, Any] = codec.decode(record)
        return _ADAPTER.validate_python(content)
    except (CorruptMessage, ValidationError):
        # A version to come may say other things of itself; it is not ours to judge.
        return None
