"""The workers that live now, as they say of themselves in Redis, and those that are found to be gone.

A worker's heartbeat renews its lease. When the lease has lapsed, any other worker may declare it lost;
that cannot be undone, and is told to the worker itself by its next heartbeat, if there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, cast

from pydantic import TypeAdapter, ValidationError

from flexiprice.errors import CorruptMessage
from flexiprice.queue.arq import ArqRedis, to_ms
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.redis.clock import DRIFT_LIMIT
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.redis.heartbeat_scripts import HEARTBEAT, WITHDRAW
from flexiprice.queue.redis.loss_scripts import EXONERATION_KEPT
from flexiprice.settings import Queue

HEARTBEAT_EVERY: Final = timedelta(seconds=1)
# A worker that was silent for so long may be declared lost.
LEASE: Final = timedelta(seconds=3)


class WorkerState(StrEnum):
    """Whether a worker takes jobs, or only lets those end that it runs."""

    RUNNING = "running"
    DRAINING = "draining"


class WorkerCommand(StrEnum):
    """What a worker can be asked to do.

    `drain`: take no more jobs, let those that run end however long they take, and end. `stop`: the same,
    but hand back what does not end within the grace.
    """

    DRAIN = "drain"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job that a worker runs, as of its latest heartbeat."""

    job_id: str
    task: str
    queue: Queue
    attempt: int
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSchedule:
    """A schedule that a worker ticks, as its own version and settings have it.

    Attributes:
        name: of the schedule.
        crontab: when it ticks.
        time_zone: the zone whose clock the crontab line means.
        task: what it runs; None where a worker of an older version does not say.
        queue: where the jobs of that task wait; likewise.
    """

    name: str
    crontab: str
    time_zone: str
    task: str | None = None
    queue: Queue | None = None


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
        state: whether it takes jobs.
        running: the jobs that it runs.
        succeeded: runs that have succeeded since its start.
        failed: runs that have failed or were called off since its start.
        retried: runs since its start that are tried again.
        memory_bytes: of the process, resident; 0 where the system does not tell.
        cpu: processor time since the heartbeat before, as a part of one core.
        loop_lag_seconds: how late its event loop was at worst in the last seconds.
        clock_drift_seconds: how far its machine's clock is ahead of that of Redis; negative where behind.
        schedules: those that it ticks, as its own settings have them.
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
    state: WorkerState = WorkerState.RUNNING
    running: tuple[RunningJob, ...] = ()
    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    memory_bytes: int = 0
    cpu: float = 0.0
    loop_lag_seconds: float = 0.0
    clock_drift_seconds: float = 0.0
    schedules: tuple[PublishedSchedule, ...] = ()

    @property
    def takes_jobs(self) -> bool:
        """It takes jobs, and does not only finish those that it runs."""
        return self.state is WorkerState.RUNNING

    @property
    def refuses_schedules(self) -> bool:
        """Its clock is so wrong that it ticks no schedule."""
        return abs(self.clock_drift_seconds) > DRIFT_LIMIT.total_seconds()


@dataclass(frozen=True, slots=True)
class HeartbeatReply:
    """What a worker is told in return.

    Attributes:
        lost: it counts as lost: whatever it does cannot be written down any more.
        command: what it is asked to do.
        lost_workers: whose jobs are yet to be given back.
        outbox_workers: who are gone, and of whom the history does not know every run yet.
        server_seconds: the time of Redis, in seconds since 1970; None where the worker counts as lost.
    """

    lost: bool
    command: WorkerCommand | None
    lost_workers: Sequence[str]
    outbox_workers: Sequence[str] = ()
    server_seconds: float | None = None


_ADAPTER: Final = TypeAdapter(LiveWorker)


async def send_heartbeat(
    redis: ArqRedis, worker: LiveWorker, *, joining: bool = False, may_expire_others: bool = False
) -> HeartbeatReply:
    """Says that a worker lives, for one lease.

    Args:
        redis: where it says so.
        worker: what it says of itself.
        joining: it is the first time.
        may_expire_others: declare those lost whose leases have lapsed. Only for one that has heard from Redis
            for a whole lease: after a silence of Redis every lease has lapsed.
    """
    beat = redis.register_script(HEARTBEAT)
    reply = cast(
        "tuple[int, bytes | None, list[bytes], list[bytes], bytes]",
        await beat(
            keys=[
                keys.WORKERS,
                keys.LOST_WORKERS,
                keys.worker_key(worker.worker_id),
                keys.worker_command_key(worker.worker_id),
                keys.RUN_OUTBOX_WORKERS,
            ],
            args=[
                worker.worker_id,
                codec.encode(worker),
                to_ms(LEASE) or 0,
                "1" if joining else "",
                "1" if may_expire_others else "",
            ],
        ),
    )
    alive, command, lost_workers, outbox_workers, server_seconds = reply
    return HeartbeatReply(
        lost=not alive,
        command=_command(command),
        lost_workers=[worker_id.decode(errors="replace") for worker_id in lost_workers],
        outbox_workers=[worker_id.decode(errors="replace") for worker_id in outbox_workers],
        server_seconds=float(server_seconds) if server_seconds else None,
    )


async def deregister(redis: ArqRedis, worker_id: str) -> None:
    """Says that a worker is gone; if it leaves jobs behind, its lease has lapsed from now on."""
    leave = redis.register_script(WITHDRAW)
    await leave(
        keys=[
            keys.WORKERS,
            keys.running_key(worker_id),
            keys.worker_key(worker_id),
            keys.worker_command_key(worker_id),
            keys.run_outbox_key(worker_id),
            keys.RUN_OUTBOX_WORKERS,
            keys.lone_key(worker_id),
            keys.exonerated_key(worker_id),
        ],
        args=[worker_id, to_ms(EXONERATION_KEPT) or 0],
    )


async def find_live_workers(redis: ArqRedis) -> tuple[LiveWorker, ...]:
    """The workers whose lease has not lapsed, the longest-lived first.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    with redis_errors():
        members = cast("list[bytes]", await redis.zrange(keys.WORKERS, 0, -1))
        if not members:
            return ()
        records = cast(
            "list[bytes | None]",
            await redis.mget([keys.worker_key(member.decode(errors="replace")) for member in members]),
        )
    workers = [worker for record in records if record is not None and (worker := _read(record)) is not None]
    return tuple(sorted(workers, key=lambda worker: (worker.started_at, worker.worker_id)))


def _read(record: bytes) -> LiveWorker | None:
    try:
        content: dict[str, Any] = codec.decode(record)
        return _ADAPTER.validate_python(content)
    except (CorruptMessage, ValidationError):
        # A version to come may say other things of itself; it is not ours to judge.
        return None


def _command(text: bytes | None) -> WorkerCommand | None:
    known = {command.value.encode(): command for command in WorkerCommand}
    return None if text is None else known.get(text)
