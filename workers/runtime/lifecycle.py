"""One worker process from its start to its end: consumers, heartbeat, signals, grace."""

import asyncio
import os
import signal
import socket
from collections.abc import Coroutine, Iterable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final
from uuid import uuid4

from flexiprice.jobs.announcements import Announcements
from flexiprice.jobs.declarations import SCHEDULES, TaskArguments
from flexiprice.jobs.fleet import HEARTBEAT_EVERY, LiveWorker, announce, withdraw
from flexiprice.jobs.redis import create_redis_of
from flexiprice.resources import open_resources
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger
from workers.runtime.consumer import Consumer
from workers.runtime.execution import RESOURCES, WORKER_ID, arq_function
from workers.runtime.patience import AWAY, Patience, StartRetry
from workers.runtime.readiness import ready_database
from workers.runtime.task import Task
from workers.runtime.ticks import TickingRedis, scheduled_task

_LOGGER = get_logger(__name__)
_PROGRAM: Final = "flexiprice-worker"
# For writing down that jobs are free again, once they were told to end.
_HAND_BACK_SECONDS: Final = 5.0


class WorkerProcess:
    """What runs inside the worker that arq's command starts.

    That worker ticks the schedules; beside it, on the same loop, one consumer a queue runs the jobs.

    Attributes:
        functions: the tasks of the queues that it consumes, as arq takes them.
        cron_jobs: the schedules of those tasks.
        redis: the client that arq's worker ticks with; the consumers share it.
    """

    def __init__(self, settings: Settings, tasks: Iterable[Task[TaskArguments]]) -> None:
        self._settings = settings
        self._queues = tuple(dict.fromkeys(settings.worker_queues))
        self._tasks = [task for task in tasks if task.declaration.queue in self._queues]
        by_name = {task.declaration.name: task for task in self._tasks}
        self.functions = [arq_function(task, settings) for task in self._tasks]
        self.cron_jobs = [
            scheduled_task(schedule, by_name[schedule.task.name], settings)
            for schedule in SCHEDULES
            if schedule.task.name in by_name
        ]
        self._patience = Patience()
        retry = StartRetry()
        self.redis = create_redis_of(
            TickingRedis, settings, client_name=_PROGRAM, retry=retry, redis_connect_func=retry.on_connect
        )
        self.redis.settings = settings
        self.redis.patience = self._patience
        self.redis.scheduled = {cron_job.name: cron_job for cron_job in self.cron_jobs}
        self._consumers: list[Consumer] = []
        self._closing = AsyncExitStack()
        self._hurry = asyncio.Event()
        self._stopping: asyncio.Task[None] | None = None
        self._failed = False

    async def start(self, ctx: dict[Any, Any]) -> None:
        """Begins to consume; arq's `on_startup`.

        Raises:
            SystemExit: the worker cannot work here; the message says why.
        """
        worker_id = _new_worker_id()
        resources = await self._closing.enter_async_context(open_resources(self._settings, program=_PROGRAM))
        await ready_database(resources.sessions)
        announcements = Announcements(self.redis)
        self._closing.push_async_callback(announcements.aclose)
        for queue in self._queues:
            consumer = Consumer(
                queue,
                [task for task in self._tasks if task.declaration.queue is queue],
                settings=self._settings,
                redis=self.redis,
                announcements=announcements,
                patience=self._patience,
                worker_id=worker_id,
                ctx={**ctx, RESOURCES: resources, WORKER_ID: worker_id},
            )
            self._consumers.append(consumer)
            self._in_background(consumer.main(), f"consumer of {queue}")
        self._in_background(self._heartbeat(worker_id), "heartbeat")
        self._heed_signals()
        _LOGGER.info("worker started", worker=worker_id, queues=[queue.value for queue in self._queues])

    async def stop(self, _: dict[Any, Any]) -> None:
        """Ends in good order; arq's `on_shutdown`.

        Raises:
            SystemExit: the worker stopped because a part of it failed.
        """
        await self._drain()
        self._patience.over = True
        await self._closing.aclose()
        _LOGGER.info("worker stopped")
        if self._failed:
            raise SystemExit(1)

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)

        async def end() -> None:
            task.cancel()
            await asyncio.wait([task])

        task.add_done_callback(self._on_end_of_part)
        self._closing.push_async_callback(end)

    def _on_end_of_part(self, part: asyncio.Task[None]) -> None:
        if part.cancelled() or (error := part.exception()) is None:
            return
        _LOGGER.critical("a part of the worker failed; stopping", part=part.get_name(), exc_info=error)
        self._failed = True
        signal.raise_signal(signal.SIGTERM)

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        # This runs inside arq's main loop; ending that task is how arq's worker is told to stop.
        main = asyncio.current_task()
        assert main is not None  # noqa: S101 -- a coroutine always runs in a task here

        async def drain_and_end() -> None:
            await self._drain()
            self._patience.over = True
            main.cancel()

        def on_signal() -> None:
            if self._stopping is None:
                self._stopping = loop.create_task(drain_and_end(), name="drain")
            else:
                self._hurry.set()

        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, on_signal)

    async def _drain(self) -> None:
        """Lets running jobs end within the grace, or until a second signal, and hands back the others."""
        await asyncio.gather(*(consumer.stop_taking() for consumer in self._consumers))
        running = sum(consumer.running for consumer in self._consumers)
        if not running:
            return
        _LOGGER.info("worker stops taking jobs", running=running)
        idle = asyncio.gather(*(consumer.until_idle() for consumer in self._consumers))
        hurry = asyncio.create_task(self._hurry.wait())
        grace = self._settings.worker_grace.total_seconds()
        ends: list[asyncio.Future[Any]] = [idle, hurry]
        await asyncio.wait(ends, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not idle.done():
            for consumer in self._consumers:
                consumer.hand_back()
            await asyncio.wait([idle], timeout=_HAND_BACK_SECONDS)
        idle.cancel()

    async def _heartbeat(self, worker_id: str) -> None:
        started_at = datetime.now(tz=UTC)
        self._closing.push_async_callback(self._withdraw, worker_id)

        async def beat() -> None:
            worker = LiveWorker(
                worker_id=worker_id,
                host=socket.gethostname(),
                pid=os.getpid(),
                queues=self._queues,
                tasks=tuple(task.declaration.name for task in self._tasks),
                version=version("flexiprice"),
                concurrency=self._settings.worker_concurrency,
                started_at=started_at,
                seen_at=datetime.now(tz=UTC),
            )
            await announce(self.redis, worker)

        while True:
            await self._patience.until_back(beat)
            await asyncio.sleep(HEARTBEAT_EVERY.total_seconds())

    async def _withdraw(self, worker_id: str) -> None:
        with suppress(*AWAY):
            await withdraw(self.redis, worker_id)


def _new_worker_id() -> str:
    # Short and plain enough to be part of a database session's name.
    host = socket.gethostname().encode("ascii", errors="replace").decode()[:20]
    return f"{host}:{os.getpid()}:{uuid4().hex[:8]}"
