"""A worker under one id, from its registration until it stops or its lease expires."""

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from importlib.metadata import version
from typing import Any, Final

from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.db.engine import pool_use
from flexiprice.db.work import Work
from flexiprice.domain.run import RunStatus
from flexiprice.metrics import PoolUse
from flexiprice.queue.declarations import TaskArguments
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.worker.heartbeat import (
    LEASE,
    HeartbeatReply,
    LiveWorker,
    PublishedSchedule,
    WorkerCommand,
    WorkerStatus,
    deregister,
)
from flexiprice.queue.worker.losses import exonerate
from flexiprice.resources import Resources, open_database
from flexiprice.runs.fencing import session_name
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
from workers.runtime.registration import delete_row, new_worker_id, write_row

_LOGGER = get_logger(__name__)
_VERSION: Final = version("flexiprice")
_ABANDON_TIMEOUT_SECONDS: Final = CANCEL_GRACE.total_seconds() + 1


class Worker:
    """A worker under one id.

    PostgreSQL has a row for it, and its sessions carry its id. Redis has its lease, which a heartbeat renews
    once a second. When the lease expires, the worker is fenced and cannot commit. Its jobs are then
    cancelled, and the process continues under a new id.

    Attributes:
        worker_id: the id.
        lost: set when the lease has expired.
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
        """Creates a worker with a new id; `start` registers it.

        Args:
            context: the resources of the worker process.
            tasks: the tasks that it can run.
            queues: the queues that it consumes.
            counts: counts finished runs for the heartbeat.
            schedules: the schedules that its process ticks.
            on_command: called with the command of each heartbeat reply.
            on_background_failure: called when a background task has ended.
        """
        self.worker_id = new_worker_id()
        self.fenced = asyncio.Event()
        self._context = context
        self._tasks = tuple(tasks)
        self._queues = tuple(queues)
        self._counts = counts
        self._schedules = tuple(schedules)
        self._on_command = on_command
        self._on_background_failure = on_background_failure
        self._use = ProcessStats()
        self._started_at = context.clock()
        self._status = WorkerStatus.RUNNING
        self._consumers: list[Consumer] = []
        self._engine: AsyncEngine | None = None
        self._closing = AsyncExitStack()
        self._lost_workers = WorkerIdMailbox()
        self._outbox_workers = WorkerIdMailbox()
        self._heartbeat = Heartbeat(context, describe=self._describe, on_reply=self._on_reply)

    @property
    def running(self) -> int:
        """The number of jobs in flight."""
        return sum(len(consumer.running) for consumer in self._consumers)

    @property
    def pool_use(self) -> PoolUse:
        """The pool of database connections of its tasks. Callable on any thread."""
        return PoolUse(in_use=0, idle=0, size=0) if self._engine is None else pool_use(self._engine)

    @property
    def names_of_running(self) -> Sequence[str]:
        """Task and id of the jobs in flight. Callable on any thread."""
        return [f"{job.task} {job.job_id}" for consumer in self._consumers for job in consumer.running]

    async def start(self) -> None:
        """Registers and starts to consume. Waits while PostgreSQL or Redis is unavailable."""
        context = self._context
        database = await self._closing.enter_async_context(
            open_database(context.settings, program=session_name(self.worker_id), work=Work.RECOMPUTE)
        )
        self._engine = database.engine
        resources = Resources(
            context.settings, database.engine, database.sessions, context.redis, context.tasks
        )
        await write_row(context.sessions, self.worker_id, started_at=self._started_at)
        self._closing.push_async_callback(self._deregister)
        await self._heartbeat.join()
        if self._status is WorkerStatus.DRAINING:
            # Stopped during startup.
            return
        for queue in self._queues:
            consumer = Consumer(
                queue,
                [task for task in self._tasks if task.declaration.queue is queue],
                context=context,
                resources=resources,
                worker_id=self.worker_id,
                on_fenced=self.fenced.set,
            )
            self._consumers.append(consumer)
            self._in_background(consumer.main(), f"consumer of {queue}")
        self._in_background(self._heartbeat.main(), "heartbeat")
        reaper = Reaper(context, self._lost_workers, worker_id=self.worker_id)
        self._in_background(reaper.main(), "reaper")
        recorder = OrphanedRunRecorder(
            context.redis,
            context.sessions,
            self._outbox_workers,
            worker_id=self.worker_id,
            clock=context.clock,
        )
        self._in_background(recorder.main(), "orphaned run recorder")
        router = DefaultQueueRouter(context, self._tasks, self._queues)
        self._in_background(router.main(), "default queue router")
        _LOGGER.info("worker_started", worker=self.worker_id, queues=[queue.value for queue in self._queues])

    async def stop_consuming(self) -> None:
        """Stops claiming jobs and publishes the new status."""
        self._status = WorkerStatus.DRAINING
        await asyncio.gather(*(consumer.stop_consuming() for consumer in self._consumers))
        if self.running:
            await self._heartbeat.beat_now()

    async def join(self) -> None:
        """Waits until no job is in flight."""
        await asyncio.gather(*(consumer.join() for consumer in self._consumers))

    def release_jobs(self) -> None:
        """Cancels running jobs and requeues them at once."""
        for consumer in self._consumers:
            consumer.cancel_all(RunStatus.RELEASED)

    async def abandon(self) -> None:
        """Cancels all jobs after the lease has expired. The reaper of another worker requeues them."""
        await self._clear_jobs_of_loss()
        for consumer in self._consumers:
            consumer.cancel_all(RunStatus.LOST)
        await asyncio.gather(*(consumer.stop_consuming() for consumer in self._consumers))
        for consumer in self._consumers:
            consumer.cancel_all(RunStatus.LOST)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ABANDON_TIMEOUT_SECONDS):
                await self.join()
        await self._closing.aclose()

    async def _clear_jobs_of_loss(self) -> None:
        """Clears the jobs of the loss, unless one of them blocked the event loop and thus the heartbeat."""
        job_ids = [job.job_id for consumer in self._consumers for job in consumer.running]
        if self._context.loop_monitor.was_blocked(within=LEASE):
            _LOGGER.warning("worker_lost_by_its_jobs", worker=self.worker_id, job_ids=job_ids)
            return
        with suppress(*REDIS_UNAVAILABLE):
            await exonerate(self._context.redis, self.worker_id, job_ids)

    async def stop(self) -> None:
        """Deregisters and closes. Call it when no job is in flight."""
        await self._closing.aclose()

    async def _deregister(self) -> None:
        # Before deregistering: otherwise another worker would record the same runs.
        await self._context.history.write_now()
        with suppress(*REDIS_UNAVAILABLE, RedisError):
            await deregister(self._context.redis, self.worker_id)
        # The row fences a worker that leaves jobs behind.
        if not self.fenced.is_set() and not self.running:
            await delete_row(self._context.sessions, self.worker_id)

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._on_background_failure)
        self._closing.push_async_callback(cancel_and_wait, task)

    def _describe(self) -> LiveWorker:
        running = [job for consumer in self._consumers for job in consumer.running]
        return LiveWorker(
            worker_id=self.worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=self._queues,
            tasks=tuple(task.declaration.name for task in self._tasks),
            version=_VERSION,
            concurrency=self._context.settings.worker_concurrency,
            started_at=self._started_at,
            seen_at=self._context.clock(),
            status=self._status,
            running=tuple(running),
            succeeded=self._counts.succeeded,
            failed=self._counts.failed,
            retried=self._counts.retried,
            memory_bytes=self._use.memory_bytes(),
            cpu=self._use.cpu(),
            loop_lag_seconds=round(self._context.loop_monitor.lag.total_seconds(), 4),
            clock_drift_seconds=self._context.clock.drift.total_seconds(),
            schedules=self._schedules,
        )

    def _on_reply(self, reply: HeartbeatReply) -> None:
        self._lost_workers.put(reply.lost_workers)
        self._outbox_workers.put(reply.outbox_workers)
        if reply.lost:
            self.fenced.set()
        if reply.command is not None:
            self._on_command(reply.command)
