"""Heartbeats, leases and the published state of live workers.

A heartbeat renews the worker's lease. After the lease has expired, any other worker may declare it lost. That
is final, and the reply to the worker's next heartbeat reports it.
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
from flexiprice.queue.redis.scripts import DEREGISTER, HEARTBEAT
from flexiprice.queue.worker.losses import EXONERATION_KEPT
from flexiprice.settings import Queue

HEARTBEAT_EVERY: Final = timedelta(seconds=1)
# Without a heartbeat for this long, a worker may be declared lost.
LEASE: Final = timedelta(seconds=3)


class WorkerStatus(StrEnum):
    """Whether a worker claims jobs or only finishes its running ones."""

    RUNNING = "running"
    DRAINING = "draining"


class WorkerCommand(StrEnum):
    """A command to a worker.

    `drain`: claim no more jobs, finish the running ones, and stop. `stop`: the same, but requeue jobs that do
    not finish within the grace period.
    """

    DRAIN = "drain"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A running job, as of the worker's latest heartbeat."""

    job_id: str
    task: str
    queue: Queue
    attempt: int
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedSchedule:
    """A schedule that a worker ticks, by its own version and settings.

    Attributes:
        name: the schedule's name.
        crontab: the crontab line.
        time_zone: the zone in which the line is read.
        task: the task that it runs; None from a worker of an older version.
        queue: the queue of that task; None from a worker of an older version.
    """

    name: str
    crontab: str
    time_zone: str
    task: str | None = None
    queue: Queue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorker:
    """The state that a worker publishes with each heartbeat.

    Attributes:
        worker_id: unique, new at each start.
        host: name of the machine.
        pid: its process id.
        queues: the queues that it consumes.
        tasks: names of its tasks.
        version: its version of FlexiPrice.
        concurrency: maximum of concurrent jobs per queue.
        started_at: when it started.
        seen_at: time of its latest heartbeat.
        status: whether it claims jobs.
        running: its running jobs.
        succeeded: number of successful runs since its start.
        failed: number of failed and revoked runs since its start.
        retried: number of retried runs since its start.
        memory_bytes: resident memory of the process; 0 if unknown.
        cpu: CPU time since the previous heartbeat, as a fraction of one core.
        loop_lag_seconds: maximum lag of its event loop in the last seconds.
        clock_drift_seconds: how far its machine's clock is ahead of that of Redis; negative if behind.
        schedules: the schedules that it ticks, by its own settings.
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
    status: WorkerStatus = WorkerStatus.RUNNING
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
        """Whether it claims jobs."""
        return self.status is WorkerStatus.RUNNING

    @property
    def refuses_schedules(self) -> bool:
        """Whether its clock drifts too far for it to tick schedules."""
        return abs(self.clock_drift_seconds) > DRIFT_LIMIT.total_seconds()


@dataclass(frozen=True, slots=True)
class HeartbeatReply:
    """The reply to a heartbeat.

    Attributes:
        lost: whether the worker's lease has expired, so that its claims are void.
        command: the pending command, if any.
        lost_workers: lost workers whose jobs are not requeued yet.
        outbox_workers: dead workers with unrecorded runs in their outbox.
        server_seconds: the time of Redis, in seconds since 1970; None if `lost`.
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
    """Renews a worker's lease and publishes its state.

    Args:
        redis: the Redis client.
        worker: the state of the worker.
        joining: whether this is the first heartbeat.
        may_expire_others: whether to declare workers with expired leases lost. Only after a whole lease of
            successful heartbeats: after an outage of Redis all leases have expired.
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
    """Removes a stopped worker. If it leaves jobs behind, its lease expires at once."""
    script = redis.register_script(DEREGISTER)
    await script(
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
    """Returns the workers with a valid lease, the oldest first.

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
        # A newer version may publish another format.
        return None


def _command(text: bytes | None) -> WorkerCommand | None:
    known = {command.value.encode(): command for command in WorkerCommand}
    return None if text is None else known.get(text)
