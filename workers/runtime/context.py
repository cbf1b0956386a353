"""The shared resources of a worker process. They outlive a change of the worker's id."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from flexiprice.metrics import Metrics
from flexiprice.queue.admin.metrics_snapshot import take_snapshot
from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.broker import open_job_broker
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.clock import ServerClock
from flexiprice.queue.redis.pubsub import PubSubListener
from flexiprice.queue.worker.run_outbox import RunOutbox
from flexiprice.resources import open_database
from flexiprice.settings import Settings
from flexiprice.snapshots import WorkersSnapshot
from flexiprice.tracing import tracing
from workers.runtime.database_gate import DatabaseGate
from workers.runtime.monitoring.clock_monitor import ClockMonitor
from workers.runtime.monitoring.loop_monitor import LoopMonitor
from workers.runtime.monitoring.metrics_server import serving_metrics
from workers.runtime.recording.run_events import CompositeObserver, RunObserver
from workers.runtime.recording.run_history import RunHistory
from workers.runtime.redis_retry import RedisRetry

PROGRAM: Final = "flexiprice-worker"
"""Name of the worker's connections in PostgreSQL and Redis."""
# Connections for registration, fencing and recording runs.
_OWN_CONNECTIONS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """The shared resources of a worker process.

    Attributes:
        settings: the program's settings.
        redis: the shared Redis client.
        tasks: enqueues jobs.
        announcements: receives pub/sub messages.
        redis_retry: repeats calls while Redis is unavailable.
        database_gate: closed while PostgreSQL refuses work.
        sessions: a small pool for the worker itself, never for tasks. It keeps working after the worker is
            declared dead.
        metrics: the Prometheus metrics.
        clock: returns the time of Redis, by which jobs are due.
        clock_monitor: measures the drift of the machine's clock from it.
        loop_monitor: measures the lag of the event loop.
        observer: receives every run.
        history: writes runs into the database.
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
    clock_monitor: ClockMonitor
    loop_monitor: LoopMonitor
    observer: RunObserver
    history: RunHistory


@asynccontextmanager
async def open_worker_context(
    settings: Settings,
    *,
    metrics: Metrics,
    clock: ServerClock,
    clock_monitor: ClockMonitor,
    redis_retry: RedisRetry,
    observers: Sequence[RunObserver],
    running: Callable[[], Sequence[str]],
) -> AsyncGenerator[WorkerContext]:
    """Opens the resources of a worker process, and closes them in reverse order.

    Args:
        settings: the program's settings.
        metrics: the Prometheus metrics, served if the settings name a port.
        clock: returns the time of Redis.
        clock_monitor: measures the drift of the machine's clock from it.
        redis_retry: repeats calls while Redis is unavailable.
        observers: receive every run, in addition to the history.
        running: returns the names of the running jobs; called on any thread.

    Raises:
        InvalidSettings: the metrics port cannot be used.
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
        history = RunHistory(database.sessions, metrics, outbox=RunOutbox(broker.redis))
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
            clock_monitor=clock_monitor,
            loop_monitor=loop_monitor,
            observer=CompositeObserver([*observers, history]),
            history=history,
        )
