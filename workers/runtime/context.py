"""What a worker's process gives to everything in it, whatever the worker's id is at the time."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.metrics import Metrics
from flexiprice.queue.admin.metrics_snapshot import take_snapshot
from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.clock import ServerClock
from flexiprice.queue.redis.pubsub import PubSubListener
from flexiprice.queue.worker.run_outbox import RunOutbox
from flexiprice.resources import open_database, open_job_broker
from flexiprice.settings import Settings
from flexiprice.snapshots import WorkersSnapshot
from flexiprice.tracing import tracing
from workers.runtime.database_gate import DatabaseGate
from workers.runtime.monitoring.clock_watch import ClockWatch
from workers.runtime.monitoring.loop_monitor import LoopMonitor
from workers.runtime.monitoring.metrics_server import serving_metrics
from workers.runtime.recording.run_events import CompositeObserver, RunObserver
from workers.runtime.recording.run_history import RunHistory
from workers.runtime.redis_retry import RedisRetry

PROGRAM: Final = "flexiprice-worker"
"""What the worker's own connections are called."""
# For the worker's own affairs: to register, to fence others, to record runs.
_OWN_CONNECTIONS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """What a worker's process gives to everything in it.

    Attributes:
        settings: those of the program.
        redis: the client that all share.
        tasks: enqueues on it.
        announcements: what is heard of it.
        redis_retry: waits for it.
        database_gate: whether jobs may be taken, as PostgreSQL can do their work.
        sessions: for what the worker does on its own account, and which must go on when it counts as
            lost; they are few, and never a task's.
        metrics: counts for Prometheus.
        clock: tells the time of Redis, by which everything in it is due.
        clock_watch: tells how far the machine's clock is from it.
        loop_monitor: tells how late the event loop is.
        observer: is told of every run.
        history: has them written into the database.
    """

    settings: Settings
    redis: ArqRedis
    tasks: TaskQueue
    announcements: PubSubListener
    redis_retry: RedisRetry
    database_gate: DatabaseGate
    sessions: async_sessionmaker[AsyncSession]
    metrics: Metrics
    clock: ServerClock
    clock_watch: ClockWatch
    loop_monitor: LoopMonitor
    observer: RunObserver
    history: RunHistory


@asynccontextmanager
async def open_worker_context(
    settings: Settings,
    *,
    metrics: Metrics,
    clock: ServerClock,
    clock_watch: ClockWatch,
    redis_retry: RedisRetry,
    observers: Sequence[RunObserver],
    running: Callable[[], Sequence[str]],
) -> AsyncGenerator[WorkerContext]:
    """Opens them for as long as the context lasts; what is opened first is closed last.

    Args:
        settings: those of the program.
        metrics: counts for Prometheus, served where the settings name a port.
        clock: tells the time of Redis.
        clock_watch: tells how far the machine's clock is from it.
        redis_retry: waits for Redis.
        observers: are told of every run, besides the history.
        running: names the jobs that run; may be called on any thread.

    Raises:
        InvalidSettings: the port of the metrics cannot be used.
    """
    async with AsyncExitStack() as closing:
        opened = closing.enter_async_context
        await opened(tracing(PROGRAM))
        own = settings.model_copy(update={"database_pool_size": _OWN_CONNECTIONS})
        database = await opened(open_database(own, program=PROGRAM))
        gate = DatabaseGate(database.sessions)
        closing.push_async_callback(gate.aclose)
        metrics.watch_database(lambda: gate.is_open)
        broker = await opened(open_job_broker(settings, program=PROGRAM))
        history = RunHistory(database.sessions, metrics, untold=RunOutbox(broker.redis))
        history.start()
        closing.push_async_callback(history.aclose)
        announcements = PubSubListener(broker.redis)
        closing.push_async_callback(announcements.aclose)
        loop_monitor = LoopMonitor(
            running=running, on_lag=metrics.observe_loop_lag, on_block=metrics.record_loop_block
        )
        loop_monitor.start()
        closing.callback(loop_monitor.stop)

        async def snapshot() -> WorkersSnapshot:
            return await take_snapshot(broker.tasks)

        if settings.worker_metrics_port is not None:
            host, port = settings.worker_metrics_host, settings.worker_metrics_port
            keys = [key for key in (settings.metrics_key, settings.api_key) if key]
            await opened(serving_metrics(metrics, host=host, port=port, keys=keys, snapshot=snapshot))
        yield WorkerContext(
            settings=settings,
            redis=broker.redis,
            tasks=broker.tasks,
            announcements=announcements,
            redis_retry=redis_retry,
            database_gate=gate,
            sessions=database.sessions,
            metrics=metrics,
            clock=clock,
            clock_watch=clock_watch,
            loop_monitor=loop_monitor,
            observer=CompositeObserver([*observers, history]),
            history=history,
        )
