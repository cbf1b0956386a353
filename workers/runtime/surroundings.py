"""What a worker's process gives to everything in it, whatever the worker's id is at the time."""

from dataclasses import dataclass

from arq.connections import ArqRedis
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.jobs.announcements import Announcements
from flexiprice.jobs.client import TaskQueue
from flexiprice.metrics import Metrics
from flexiprice.settings import Settings
from workers.runtime.history import RunHistory
from workers.runtime.loop_watch import LoopWatch
from workers.runtime.patience import Patience
from workers.runtime.run_events import RunObserver


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a worker's process gives to everything in it.

    Attributes:
        settings: those of the program.
        redis: the client that all share.
        tasks: enqueues on it.
        announcements: what is heard of it.
        patience: waits for it.
        sessions: for what the worker does on its own account, and which must go on when it counts as
            lost; they are few, and never a task's.
        metrics: counts for Prometheus.
        loop_watch: tells how late the event loop is.
        observer: is told of every run.
        history: has them written into the database.
    """

    settings: Settings
    redis: ArqRedis
    tasks: TaskQueue
    announcements: Announcements
    patience: Patience
    sessions: async_sessionmaker[AsyncSession]
    metrics: Metrics
    loop_watch: LoopWatch
    observer: RunObserver
    history: RunHistory
