"""A worker process: its parts, start and end."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from flexiprice.domain.run import RunStatus
from flexiprice.errors import FlexiPriceError, InvalidSettings
from flexiprice.metrics import Metrics, PoolUse
from flexiprice.queue.declarations import Schedule, TaskArguments, schedules_in
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.redis.clock import ServerClock, synchronize
from flexiprice.queue.redis.connection import create_redis_of
from flexiprice.queue.redis.replies import RedisRefusal, sentence_of
from flexiprice.queue.worker.supervisor_protocol import announce_recycling, has_supervisor
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger
from workers.runtime.arq_command import exit_at_once, restart
from workers.runtime.context import PROGRAM, WorkerContext, open_worker_context
from workers.runtime.jobs.task import Task
from workers.runtime.monitoring.clock_monitor import ClockMonitor, ClockZone
from workers.runtime.monitoring.process_stats import CountingObserver, MetricsObserver, RecyclingObserver
from workers.runtime.recording.run_events import RunObserver
from workers.runtime.recycling import Recycling, warn_without_supervisor
from workers.runtime.redis_retry import RedisRetry, StartupRetry, refuse
from workers.runtime.scheduler import Clock, SchedulerRedis, arq_function, by_name, scheduled_task
from workers.runtime.shutdown import Shutdown, drain
from workers.runtime.startup_checks import ready_database, ready_redis
from workers.runtime.worker import Worker

_LOGGER = get_logger(__name__)
_ENDINGS: Final = tuple(state.value for state in RunStatus if state is not RunStatus.RUNNING)


class WorkerProcess:
    """Runs consumers inside the worker that arq's command starts.

    arq's worker ticks the schedules. On the same event loop, one consumer a queue runs the jobs.

    Attributes:
        functions: the tasks of the consumed queues, as arq functions.
        cron_jobs: the schedules of those tasks.
        redis: the client of arq's worker.
        clock_zone: the time zone for arq's worker; its clock is that of Redis.
        metrics: the Prometheus metrics.
    """

    def __init__(
        self,
        settings: Settings,
        tasks: Iterable[Task[TaskArguments]],
        *,
        clock: Clock | None = None,
        schedules: Sequence[Schedule] | None = None,
        watching: bool = False,
    ) -> None:
        """Creates the client and the schedules; `start` opens connections.

        Args:
            settings: the program's settings.
            tasks: the known tasks; those of the consumed queues are run.
            clock: the clock of the schedules; that of Redis by default.
            schedules: the known schedules; those of the run tasks are ticked. None for those of the settings.
            watching: `arq --watch` restarts the worker when a file changes.
        """
        self._settings = settings
        self._clock = ServerClock(on_set_back=self._on_clock_set_back)
        self._clock_monitor = ClockMonitor(self._clock, on_mended=self._catch_up)
        clock = clock or self._clock
        self.clock_zone = ClockZone(clock)
        self._queues = tuple(dict.fromkeys(settings.worker_queues))
        self._tasks = [task for task in tasks if task.declaration.queue in self._queues]
        self._names = names = [task.declaration.name for task in self._tasks]
        self.functions = [arq_function(task, settings) for task in self._tasks]
        self.cron_jobs = [
            scheduled_task(schedule, settings, clock)
            for schedule in schedules or schedules_in(settings)
            if schedule.task.name in names
        ]
        self._redis_retry = RedisRetry()
        retry = StartupRetry()
        self.redis = create_redis_of(
            SchedulerRedis, settings, client_name=PROGRAM, retry=retry, redis_connect_func=retry.on_connect
        )
        self.redis.settings = settings
        self.redis.redis_retry = self._redis_retry
        self.redis.scheduled = by_name(self.cron_jobs)
        self.redis.clock_monitor = self._clock_monitor
        self.metrics = Metrics()
        self.metrics.expect(names, _ENDINGS)
        self._counts = CountingObserver()
        self._shutdown = Shutdown(settings.worker_grace, drain_and_stop=self._drain_and_stop)
        # Without a supervisor nothing starts the next process, and jobs would wait forever.
        max_tasks = settings.worker_max_tasks if has_supervisor() else 0
        self._recycling = Recycling(max_tasks, on_due=self._shutdown.begin)
        self._closing = AsyncExitStack()
        self._worker: Worker | None = None
        self._main: asyncio.Task[Any] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._failed = False
        self._watching = watching

    async def start(self, _: dict[Any, Any]) -> None:
        """Starts to consume; arq's `on_startup`.

        Raises:
            SystemExit: the worker cannot start; the message says why.
        """
        # This runs inside arq's main task; cancelling that task stops arq's worker.
        self._main = asyncio.current_task()
        # Before the first wait: arq's own handler cancels once, and a retry loop may take that cancellation
        # for a lost connection.
        self._shutdown.install_signal_handlers()
        try:
            await self._begin()
        except InvalidSettings as error:
            raise SystemExit(f"flexiprice: {error}") from None
        except RedisRefusal as error:
            raise refuse(error) from None

    async def _begin(self) -> None:
        # Through the client that gives up if Redis never answers.
        await self.redis.ping()
        context = await self._open()
        warn_without_supervisor(self._settings)
        await ready_redis(context.redis, self._redis_retry)
        await ready_database(context.sessions)
        # Jobs must never be due by this machine's clock, not even before the first heartbeat.
        await self._redis_retry.call(lambda: synchronize(context.redis, self._clock))
        self._closing.push_async_callback(self._stop_worker)
        self._worker = self._new_worker(context)
        await self._worker.start()
        self.metrics.watch_database_pool(self._pool_use)
        self._in_background(self._run_workers(context), "worker")
        self._catch_up()

    async def stop(self, _: dict[Any, Any]) -> None:
        """Shuts down gracefully; arq's `on_shutdown`.

        Raises:
            SystemExit: a background task failed.
        """
        if not self._shutdown.has_begun:
            self._shutdown.begin_within_grace()
        await self._shutdown.join()
        self._redis_retry.closed = True
        await self._closing.aclose()
        _LOGGER.info("worker_stopped")
        if self._watching:
            if self._shutdown.requested:
                exit_at_once(int(self._failed))
            _LOGGER.info("worker_restarted", reason="a file changed")
            restart()
        if self._failed:
            raise SystemExit(1)
        if self._recycling.due and not self._shutdown.requested:
            announce_recycling()

    async def _open(self) -> WorkerContext:
        return await self._closing.enter_async_context(
            open_worker_context(
                self._settings,
                metrics=self.metrics,
                clock=self._clock,
                clock_monitor=self._clock_monitor,
                redis_retry=self._redis_retry,
                observers=self._observers(),
                running=self._names_of_running,
            )
        )

    def _observers(self) -> Sequence[RunObserver]:
        return (self._counts, MetricsObserver(self.metrics, self._names), RecyclingObserver(self._recycling))

    def _new_worker(self, context: WorkerContext) -> Worker:
        return Worker(
            context,
            self._tasks,
            self._queues,
            self._counts,
            schedules=[scheduled.published() for scheduled in self.cron_jobs],
            on_command=self._shutdown.on_command,
            on_background_failure=self._on_background_failure,
        )

    def _catch_up(self) -> None:
        self._in_background(self.redis.catch_up(), "catching up")

    def _on_clock_set_back(self) -> None:
        _LOGGER.warning(
            "redis_clock_set_back", advice="schedules tick by this clock; past ticks are not repeated"
        )
        for scheduled in self.cron_jobs:
            # Otherwise none would tick until the clock reaches the old next tick.
            scheduled.next_run = None

    async def _run_workers(self, context: WorkerContext) -> None:
        """Replaces the worker with one of a new id whenever its lease expires."""
        while self._worker is not None:
            await self._worker.fenced.wait()
            _LOGGER.warning("worker_lease_lost", worker=self._worker.worker_id)
            await self._worker.abandon()
            self._worker = None
            if not self._shutdown.has_begun:
                self._worker = self._new_worker(context)
                await self._worker.start()

    async def _stop_worker(self) -> None:
        # Not in a cancelled task, which would be cancelled repeatedly while it deregisters.
        if self._worker is not None:
            await self._worker.stop()

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._on_background_failure)
        self._closing.push_async_callback(cancel_and_wait, task)

    def _on_background_failure(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, (RedisRefusal, FlexiPriceError)):
            # The operator must change something; a traceback would not help.
            _LOGGER.critical("worker_refused", component=task.get_name(), reason=sentence_of(error))
        else:
            _LOGGER.critical("background_task_failed", component=task.get_name(), exc_info=error)
        self._failed = True
        self._shutdown.request()

    async def _drain_and_stop(self, grace_ended: asyncio.Event) -> None:
        try:
            if self._worker is not None:
                await drain(self._worker, grace_ended)
        except Exception:
            # A worker that claims no more jobs must end, whatever the error.
            self._failed = True
            _LOGGER.exception("drain_failed")
        finally:
            self._redis_retry.closed = True
            if self._main is not None:
                await cancel_and_wait(self._main)
            if self._watching and self._shutdown.requested:
                # `arq --watch` waits for a file to change and not for its worker to end.
                self._stopping = asyncio.create_task(self.stop({}), name="stop")

    def _pool_use(self) -> PoolUse:
        worker = self._worker
        return PoolUse(in_use=0, idle=0, size=0) if worker is None else worker.pool_use

    def _names_of_running(self) -> Sequence[str]:
        worker = self._worker
        return [] if worker is None else worker.names_of_running
