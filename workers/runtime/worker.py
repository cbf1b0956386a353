"""A worker under one id, from its registration to its end or until it counts as lost."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version
from typing import Any, Final
from uuid import uuid4

from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.db.engine import database_errors, pool_use
from flexiprice.db.work import Work
from flexiprice.domain.run import RunStatus
from flexiprice.errors import DatabaseUnavailable
from flexiprice.metrics import PoolUse
from flexiprice.queue.declarations import TaskArguments
from flexiprice.queue.redis.cancellation import cancelled
from flexiprice.queue.worker.heartbeat import (
    LEASE,
    HeartbeatReply,
    LiveWorker,
    PublishedSchedule,
    WorkerCommand,
    WorkerState,
    deregister,
)
from flexiprice.queue.worker.losses import exonerate
from flexiprice.resources import Resources, open_database
from flexiprice.runs.fencing import forget_worker, register_worker, session_name
from flexiprice.settings import Queue
from flexiprice.telemetry import get_logger
from workers.runtime.context import WorkerContext
from workers.runtime.default_queue_router import DefaultQueueRouter
from workers.runtime.jobs.consumer import Consumer
from workers.runtime.jobs.task import Task
from workers.runtime.jobs.time_limits import CANCEL_GRACE
from workers.runtime.monitoring.process_stats import CountingObserver, ProcessStats
from workers.runtime.recovery.heartbeat import Heartbeat, WorkerIdMailbox
from workers.runtime.recovery.orphaned_runs import OrphanedRunRecorder
from workers.runtime.recovery.reaper import Reaper
from workers.runtime.redis_retry import REDIS_UNAVAILABLE

_LOGGER = get_logger(__name__)
_VERSION: Final = version("flexiprice")
_LOOK_FOR_POSTGRES_EVERY: Final = 0.5
_ENDS_WITHIN: Final = CANCEL_GRACE.total_seconds() + 1
# A worker that ends waits no longer for PostgreSQL to forget it.
_FORGET_SECONDS: Final = 2.0


class Worker:
    """A worker under one id.

    It is registered in PostgreSQL, where its sessions carry its name, and in Redis, where it says once a
    second that it lives. When it counts as lost, whatever it does is in vain: its work is ended, and the
    process goes on under another id.

    Attributes:
        worker_id: the id.
        lost: is set when the worker counts as lost.
    """

    def __init__(
        self,
        context: WorkerContext,
        tasks: Sequence[Task[TaskArguments]],
        queues: Sequence[Queue],
        counts: CountingObserver,
        *,
        schedules: Sequence[PublishedSchedule] = (),
        on_command: Callable[[WorkerCommand], None],
        on_background_failure: Callable[[asyncio.Task[None]], None],
    ) -> None:
        """Prepares it.

        Args:
            context: what the worker's process gives it.
            tasks: what it can run.
            queues: from which it takes.
            counts: what its heartbeats tell of runs.
            schedules: those that its process ticks.
            on_command: is told what the worker is asked to do, with every heartbeat again.
            on_background_failure: is told when something that should last has ended.
        """
        self.worker_id = _new_worker_id()
        self.lost = asyncio.Event()
        self._surroundings = context
        self._tasks = tuple(tasks)
        self._queues = tuple(queues)
        self._counts = counts
        self._schedules = tuple(schedules)
        self._on_command = on_command
        self._on_background_failure = on_background_failure
        self._use = ProcessStats()
        self._started_at = context.clock()
        self._state = WorkerState.RUNNING
        self._consumers: list[Consumer] = []
        self._engine: AsyncEngine | None = None
        self._closing = AsyncExitStack()
        self._lost_workers = WorkerIdMailbox()
        self._untold_workers = WorkerIdMailbox()
        self._heartbeat = Heartbeat(context, describe=self._describe, on_answer=self._on_answer)

    @property
    def running(self) -> int:
        """The number of jobs that it holds."""
        return sum(len(consumer.running) for consumer in self._consumers)

    @property
    def pool_use(self) -> PoolUse:
        """The database connections of its tasks; may be asked for on any thread."""
        return PoolUse(in_use=0, idle=0, size=0) if self._engine is None else pool_use(self._engine)

    @property
    def names_of_running(self) -> Sequence[str]:
        """Task and id of the jobs that it holds; may be asked for on any thread."""
        return [f"{job.task} {job.job_id}" for consumer in self._consumers for job in consumer.running]

    async def start(self) -> None:
        """Registers and begins to work, however long PostgreSQL and Redis are away."""
        context = self._surroundings
        database = await self._closing.enter_async_context(
            open_database(context.settings, program=session_name(self.worker_id), work=Work.RECOMPUTE)
        )
        self._engine = database.engine
        resources = Resources(
            context.settings, database.engine, database.sessions, context.redis, context.tasks
        )
        await self._register()
        self._closing.push_async_callback(self._leave)
        await self._heartbeat.join()
        if self._state is WorkerState.DRAINING:
            # Told to end while it began.
            return
        for queue in self._queues:
            consumer = Consumer(
                queue,
                [task for task in self._tasks if task.declaration.queue is queue],
                context=context,
                resources=resources,
                worker_id=self.worker_id,
                on_fenced=self.lost.set,
            )
            self._consumers.append(consumer)
            self._in_background(consumer.main(), f"consumer of {queue}")
        self._in_background(self._heartbeat.main(), "heartbeat")
        reaper = Reaper(context, self._lost_workers, worker_id=self.worker_id)
        self._in_background(reaper.main(), "reaper")
        last_words = OrphanedRunRecorder(
            context.redis,
            context.sessions,
            self._untold_workers,
            worker_id=self.worker_id,
            clock=context.clock,
        )
        self._in_background(last_words.main(), "last words")
        router = DefaultQueueRouter(context, self._tasks, self._queues)
        self._in_background(router.main(), "default queue router")
        _LOGGER.info("worker_started", worker=self.worker_id, queues=[queue.value for queue in self._queues])

    async def stop_consuming(self) -> None:
        """Takes no more jobs, and says so."""
        self._state = WorkerState.DRAINING
        await asyncio.gather(*(consumer.stop_consuming() for consumer in self._consumers))
        if self.running:
            await self._heartbeat.beat_now()

    async def join(self) -> None:
        """Returns when it holds no job."""
        await asyncio.gather(*(consumer.join() for consumer in self._consumers))

    def release_jobs(self) -> None:
        """Ends what still runs, to be run by another worker at once."""
        for consumer in self._consumers:
            consumer.cancel_all(RunStatus.HANDED_BACK)

    async def abandon(self) -> None:
        """Ends the work of a worker that counts as lost; whoever found that out gives its jobs back."""
        await self._exonerate()
        for consumer in self._consumers:
            consumer.cancel_all(RunStatus.LOST)
        await asyncio.gather(*(consumer.stop_consuming() for consumer in self._consumers))
        for consumer in self._consumers:
            consumer.cancel_all(RunStatus.LOST)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENDS_WITHIN):
                await self.join()
        await self._closing.aclose()

    async def _exonerate(self) -> None:
        """Says that the jobs are not to blame, unless one of them blocked the loop and so the heartbeat."""
        job_ids = [job.job_id for consumer in self._consumers for job in consumer.running]
        if self._surroundings.loop_monitor.was_blocked(within=LEASE):
            _LOGGER.warning("worker_lost_by_its_jobs", worker=self.worker_id, job_ids=job_ids)
            return
        with suppress(*REDIS_UNAVAILABLE):
            await exonerate(self._surroundings.redis, self.worker_id, job_ids)

    async def stop(self) -> None:
        """Ends in good order, when all jobs have ended or are handed back."""
        await self._closing.aclose()

    async def _leave(self) -> None:
        # Before it is off the list, or somebody else would write down what is about to be written.
        await self._surroundings.history.write_now()
        with suppress(*REDIS_UNAVAILABLE, RedisError):
            await deregister(self._surroundings.redis, self.worker_id)
        # A worker that leaves jobs behind is kept from committing by its row.
        if self.lost.is_set() or self.running:
            return
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(_FORGET_SECONDS):
                with database_errors():
                    async with self._surroundings.sessions.begin() as session:
                        await forget_worker(session, self.worker_id)

    async def _register(self) -> None:
        told = False
        while True:
            try:
                with database_errors():
                    async with self._surroundings.sessions.begin() as session:
                        await register_worker(
                            session,
                            worker_id=self.worker_id,
                            host=socket.gethostname(),
                            pid=os.getpid(),
                            started_at=self._started_at,
                        )
            except DatabaseUnavailable as error:
                if not told:
                    _LOGGER.warning("database_unavailable", error=str(error))
                told = True
                await asyncio.sleep(_LOOK_FOR_POSTGRES_EVERY)
            else:
                return

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        part = asyncio.create_task(work, name=name)

        part.add_done_callback(self._on_background_failure)
        self._closing.push_async_callback(cancelled, part)

    def _describe(self) -> LiveWorker:
        running = [job for consumer in self._consumers for job in consumer.running]
        return LiveWorker(
            worker_id=self.worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=self._queues,
            tasks=tuple(task.declaration.name for task in self._tasks),
            version=_VERSION,
            concurrency=self._surroundings.settings.worker_concurrency,
            started_at=self._started_at,
            seen_at=self._surroundings.clock(),
            state=self._state,
            running=tuple(running),
            succeeded=self._counts.succeeded,
            failed=self._counts.failed,
            retried=self._counts.retried,
            memory_bytes=self._use.memory_bytes(),
            cpu=self._use.cpu(),
            loop_lag_seconds=round(self._surroundings.loop_monitor.lag.total_seconds(), 4),
            clock_drift_seconds=self._surroundings.clock.drift.total_seconds(),
            schedules=self._schedules,
        )

    def _on_answer(self, answer: HeartbeatReply) -> None:
        self._lost_workers.hear(answer.lost_workers)
        self._untold_workers.hear(answer.outbox_workers)
        if answer.lost:
            self.lost.set()
        if answer.command is not None:
            self._on_command(answer.command)


def _new_worker_id() -> str:
    # Short and plain enough to be part of a database session's name.
    host = socket.gethostname().encode("ascii", errors="replace").decode()[:20]
    return f"{host}:{os.getpid()}:{uuid4().hex[:8]}"
