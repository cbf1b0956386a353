"""What is read of Redis and PostgreSQL for all pages."""

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
"""What an answer takes that is worth a word: on a quiet machine it is a few milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHealth:
    """How a server answers.

    Attributes:
        seconds: what its latest answer took; None before the first and while it is away.
        away_since: when it was first found to be silent; None while it answers.
        slow_since: since when its answers take long; None while they do not.
        reason: why it is away.
        refuses: it answers, and refuses what it is asked; `reason` is then the whole sentence.
    """

    seconds: float | None = None
    away_since: datetime | None = None
    slow_since: datetime | None = None
    reason: str = ""
    refuses: bool = False

    def after_answer(self, now: datetime, seconds: float) -> "ServerHealth":
        """How it answers, as it just did."""
        slow_since = (self.slow_since or now) if seconds >= SLOW_SECONDS else None
        return ServerHealth(seconds=seconds, slow_since=slow_since)

    def after_silence(self, now: datetime, reason: str, *, refuses: bool = False) -> "ServerHealth":
        """How it answers, as it just did not."""
        return ServerHealth(away_since=self.away_since or now, reason=reason, refuses=refuses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Everything that Redis knows of workers, queues and schedules at one moment.

    Attributes:
        at: when.
        workers: those that live, the longest-lived first.
        queues: all of them.
        schedules: all of them.
        active: the jobs that run, those that have run longest first.
        dead_letters: how many tasks need a person, and why.
        undeclared: tasks of waiting jobs that no live worker declares.
        evicts: the policy by which Redis drops keys when memory is short; None where it drops none, or its
            user may not ask.
    """

    at: datetime
    workers: tuple[LiveWorker, ...]
    queues: tuple[QueueState, ...]
    schedules: tuple[ScheduleState, ...]
    active: tuple[JobInfo, ...]
    dead_letters: DeadLetterCounts = field(default_factory=DeadLetterCounts)
    undeclared: tuple[UndeclaredTask, ...] = ()
    evicts: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePoint:
    """How full the queues were at one moment.

    Attributes:
        at: when.
        held: jobs in each queue: waiting, deferred and running.
        waiting: of them those that are due and not started.
        oldest: how long the first of those has been due.
    """

    at: datetime
    held: Mapping[Queue, int]
    waiting: Mapping[Queue, int]
    oldest: Mapping[Queue, timedelta]

    @classmethod
    def of(cls, fleet: Fleet) -> "QueuePoint":
        """That of a reading."""
        states = fleet.queues
        return cls(
            at=fleet.at,
            held={state.queue: state.waiting + state.deferred + state.running for state in states},
            waiting={state.queue: state.waiting for state in states},
            oldest={state.queue: state.oldest_waiting or timedelta(0) for state in states},
        )


# Compared by identity: no two are alike, and what is made of one is remembered by it.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Snapshot:
    """How everything stands.

    Attributes:
        at: when it was read.
        redis: how Redis answers.
        database: how PostgreSQL answers.
        fleet: what Redis said last, which is of an earlier moment while it is away; None before it ever did.
        history: likewise what PostgreSQL said last.
        queue_points: how full the queues were over the last minutes, the oldest first, one a step.
        unserved_since: queues that no worker takes from, or only draining ones, by when that was first
            found; None where it was so when this process looked for the first time.
    """

    at: datetime
    redis: ServerHealth
    database: ServerHealth
    fleet: Fleet | None = None
    history: RecentActivity | None = None
    queue_points: Sequence[QueuePoint] = ()
    unserved_since: Mapping[Queue, datetime | None] = field(default_factory=dict[Queue, datetime | None])


def step_of(at: datetime) -> datetime:
    """The start of the step that an instant lies in."""
    return at - (at - _EPOCH) % STEP


async def read_fleet(tasks: TaskQueue, clock: ServerClock) -> Fleet:
    """Reads all there is in Redis, and the time.

    Args:
        tasks: the queue's access.
        clock: is told the time.

    Raises:
        RedisUnavailable: Redis does not answer, or takes no writes: then no worker can show that it lives.
        InvalidSettings: Redis refuses us.
    """
    await probe_writes(tasks.redis)
    broker = await find_broker_info(tasks.redis)
    evicts = broker is not None and BrokerRisk.EVICTS in broker.risks
    with redis_errors():
        await synchronize(tasks.redis, clock)
    workers = await tasks.live_workers()
    queues = await list_queues(tasks)
    return Fleet(
        at=clock(),
        workers=workers,
        queues=queues,
        schedules=await list_schedules(tasks, now=clock(), workers=workers),
        active=await list_active(tasks),
        dead_letters=await count_dead_letters(tasks.redis),
        undeclared=await list_undeclared(tasks, workers, queues),
        evicts=broker.eviction_policy if broker is not None and evicts else None,
    )
