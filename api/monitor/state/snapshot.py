"""Snapshots of Redis and PostgreSQL that all pages share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from api.monitor.state.recent import STEP, RecentActivity
from flexiprice.queue.admin.broker_info import BrokerRisk, find_broker_info, probe_writes
from flexiprice.queue.admin.dead_letters import DeadLetterCounts, count_dead_letters
from flexiprice.queue.admin.inspect import UndeclaredTask, list_active, list_undeclared
from flexiprice.queue.admin.queues import QueueState, list_queues
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.clock import ServerClock, synchronize
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.schedule_state import ScheduleState
from flexiprice.queue.status import JobInfo
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.settings import Queue

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
SLOW_SECONDS: Final = 0.5
"""Response time from which a server counts as slow; on an idle machine it is a few milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHealth:
    """The health of a server.

    Attributes:
        seconds: latest response time; None before the first response and while the server is down.
        down_since: first failed read of the current outage; None while reads succeed.
        slow_since: first slow response in a row; None while responses are fast.
        reason: why the server is down.
        refuses: whether it responds and rejects commands; `reason` is then a whole sentence.
    """

    seconds: float | None = None
    down_since: datetime | None = None
    slow_since: datetime | None = None
    reason: str = ""
    refuses: bool = False

    def after_success(self, now: datetime, seconds: float) -> "ServerHealth":
        """Returns the health after a successful read."""
        slow_since = (self.slow_since or now) if seconds >= SLOW_SECONDS else None
        return ServerHealth(seconds=seconds, slow_since=slow_since)

    def after_failure(self, now: datetime, reason: str, *, refuses: bool = False) -> "ServerHealth":
        """Returns the health after a failed read."""
        return ServerHealth(down_since=self.down_since or now, reason=reason, refuses=refuses)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSnapshot:
    """Workers, queues and schedules as Redis has them.

    Attributes:
        at: when it was read.
        workers: the live workers, the longest-lived first.
        queues: all queues.
        schedules: all schedules.
        active: the running jobs, the longest-running first.
        dead_letters: number of dead letters by reason.
        undeclared: tasks of waiting jobs that no live worker declares.
        eviction_policy: the policy by which Redis evicts keys when memory is short; None if it evicts none,
            or its user may not read the setting.
    """

    at: datetime
    workers: tuple[LiveWorker, ...]
    queues: tuple[QueueState, ...]
    schedules: tuple[ScheduleState, ...]
    active: tuple[JobInfo, ...]
    dead_letters: DeadLetterCounts = field(default_factory=DeadLetterCounts)
    undeclared: tuple[UndeclaredTask, ...] = ()
    eviction_policy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePoint:
    """The sizes of the queues at one instant.

    Attributes:
        at: when they were read.
        total: jobs in each queue: waiting, deferred and running.
        waiting: jobs that are due and not started.
        oldest: age of the oldest due job.
    """

    at: datetime
    total: Mapping[Queue, int]
    waiting: Mapping[Queue, int]
    oldest: Mapping[Queue, timedelta]

    @classmethod
    def of(cls, broker: BrokerSnapshot) -> "QueuePoint":
        """Returns the sizes in a snapshot."""
        states = broker.queues
        return cls(
            at=broker.at,
            total={state.queue: state.waiting + state.deferred + state.running for state in states},
            waiting={state.queue: state.waiting for state in states},
            oldest={state.queue: state.oldest_waiting or timedelta(0) for state in states},
        )


# Compared and hashed by identity, so that series can be cached by snapshot.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """The state of the whole system.

    Attributes:
        at: when it was read.
        redis: health of Redis.
        database: health of PostgreSQL.
        broker: the latest data of Redis, older than `at` while Redis is down; None before the first read.
        recent: the latest data of PostgreSQL, likewise.
        queue_points: sizes of the queues over the last minutes, one for each step, the oldest first.
        unserved_since: queues without a worker that takes jobs, with when that was first found; None if it
            was so at the first poll.
    """

    at: datetime
    redis: ServerHealth
    database: ServerHealth
    broker: BrokerSnapshot | None = None
    recent: RecentActivity | None = None
    queue_points: Sequence[QueuePoint] = ()
    unserved_since: Mapping[Queue, datetime | None] = field(default_factory=dict[Queue, datetime | None])


def step_of(at: datetime) -> datetime:
    """Returns the start of the step that contains an instant."""
    return at - (at - _EPOCH) % STEP


async def read_broker_snapshot(tasks: TaskQueue, clock: ServerClock) -> BrokerSnapshot:
    """Reads workers, queues and schedules from Redis, and synchronizes a clock with it.

    Args:
        tasks: the task queue.
        clock: the clock to synchronize.

    Raises:
        RedisUnavailable: Redis does not answer, or takes no writes, without which workers cannot send
            heartbeats.
        InvalidSettings: Redis rejects the credentials or lacks a permission.
    """
    await probe_writes(tasks.redis)
    info = await find_broker_info(tasks.redis)
    evicts = info is not None and BrokerRisk.EVICTS in info.risks
    with redis_errors():
        await synchronize(tasks.redis, clock)
    workers = await tasks.live_workers()
    queues = await list_queues(tasks)
    return BrokerSnapshot(
        at=clock(),
        workers=workers,
        queues=queues,
        schedules=await list_schedules(tasks, now=clock(), workers=workers),
        active=await list_active(tasks),
        dead_letters=await count_dead_letters(tasks.redis),
        undeclared=await list_undeclared(tasks, workers, queues),
        eviction_policy=info.eviction_policy if info is not None and evicts else None,
    )
