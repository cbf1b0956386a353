"""One worker process from its start to its end: what it consists of, signals, grace, recycling."""

import asyncio
import signal
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

from flexiprice.domain.run import RunState
from flexiprice.errors import FlexiPriceError, InvalidSettings
from flexiprice.jobs.declarations import SCHEDULES, Schedule, TaskArguments
from flexiprice.jobs.ending import cancelled
from flexiprice.jobs.fleet import WorkerCommand
from flexiprice.jobs.recycling import announce_recycling, has_supervisor
from flexiprice.jobs.redis import create_redis_of
from flexiprice.jobs.redis_replies import RedisRefusal, sentence_of
from flexiprice.jobs.server_clock import ServerClock, synchronize
from flexiprice.metrics import Metrics, PoolUse
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger
from workers.runtime.arq_command import exit_at_once, restart
from workers.runtime.arq_functions import arq_function
from workers.runtime.clock_watch import ClockWatch, ClockZone
from workers.runtime.life import Life
from workers.runtime.patience import Patience, StartRetry, refuse
from workers.runtime.readiness import ready_database, ready_redis
from workers.runtime.recycle import Recycling
from workers.runtime.run_events import RunObserver
from workers.runtime.surroundings import PROGRAM, Surroundings, open_surroundings
from workers.runtime.task import Task
from workers.runtime.ticks import Clock, TickingRedis, by_name, scheduled_task
from workers.runtime.vitals import MeasuredRuns, RecycledRuns, RunCounts

_LOGGER = get_logger(__name__)
# For writing down that jobs are free again, once they were told to end.
_HAND_BACK_SECONDS: Final = 6.0
_ENDINGS: Final = tuple(state.value for state in RunState if state is not RunState.RUNNING)


class WorkerProcess:
    """What runs inside the worker that arq's command starts.

    That worker ticks the schedules; beside it, on the same loop, one consumer a queue runs the jobs.

    Attributes:
        functions: the tasks of the queues that it consumes, as arq takes them.
        cron_jobs: the schedules of those tasks.
        redis: the client that arq's worker ticks with.
        clock_zone: the time zone for arq's worker, whose clock is that of Redis.
        metrics: what it measures.
    """

    def __init__(
        self,
        settings: Settings,
        tasks: Iterable[Task[TaskArguments]],
        *,
        clock: Clock | None = None,
        schedules: Sequence[Schedule] = SCHEDULES,
        watching: bool = False,
    ) -> None:
        """Prepares it.

        Args:
            settings: those of the program.
            tasks: what it can run; only those of its queues are.
            clock: tells when a schedule is due.
            schedules: those of its tasks are ticked.
            watching: arq restarts the worker when a file changes, as `arq --watch` does.
        """
        self._settings = settings
        self._clock = ServerClock(on_set_back=self._on_clock_set_back)
        self._clock_watch = ClockWatch(self._clock, on_mended=self._catch_up)
        clock = clock or self._clock
        self.clock_zone = ClockZone(clock)
        self._queues = tuple(dict.fromkeys(settings.worker_queues))
        self._tasks = [task for task in tasks if task.declaration.queue in self._queues]
        self._names = names = [task.declaration.name for task in self._tasks]
        self.functions = [arq_function(task, settings) for task in self._tasks]
        self.cron_jobs = [
            scheduled_task(schedule, settings, clock) for schedule in schedules if schedule.task.name in names
        ]
        self._patience = Patience()
        retry = StartRetry()
        self.redis = create_redis_of(
            TickingRedis, settings, client_name=PROGRAM, retry=retry, redis_connect_func=retry.on_connect
        )
        self.redis.settings = settings
        self.redis.patience = self._patience
        self.redis.scheduled = by_name(self.cron_jobs)
        self.redis.clock_watch = self._clock_watch
        self.metrics = Metrics()
        self.metrics.expect(names, _ENDINGS)
        self._counts = RunCounts()
        # Without a supervisor nothing would start the next process, and what waits would wait for good.
        supervised = has_supervisor()
        self._not_recycled = not supervised and "worker_max_tasks" in settings.model_fields_set
        self._recycling = Recycling(settings.worker_max_tasks if supervised else 0, on_due=self._leave)
        self._closing = AsyncExitStack()
        self._life: Life | None = None
        self._main: asyncio.Task[Any] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._told_to_stop = False
        self._commands: set[WorkerCommand] = set()
        self._failed = False
        self._watching = watching

    async def start(self, _: dict[Any, Any]) -> None:
        """Begins to consume; arq's `on_startup`.

        Raises:
            SystemExit: the worker cannot work here; the message says why.
        """
        # This runs inside arq's main loop; ending that task is how arq's worker is told to stop.
        self._main = asyncio.current_task()
        # Before anything is waited for: arq's own handler cancels it once, and whoever waits patiently for a
        # server may take that for a lost connection.
        self._heed_signals()
        try:
            await self._begin()
        except InvalidSettings as error:
            raise SystemExit(f"flexiprice: {error}") from None
        except RedisRefusal as error:
            raise refuse(error) from None

    async def _begin(self) -> None:
        # By the client that gives up where Redis never answers.
        await self.redis.ping()
        around = await self._open()
        if self._not_recycled and self._settings.worker_max_tasks:
            _LOGGER.warning(
                "worker_not_recycled",
                worker_max_tasks=self._settings.worker_max_tasks,
                advice="only `flexiprice worker` starts another process; start the worker with it",
            )
        await ready_redis(around.redis, self._patience)
        await ready_database(around.sessions)
        # Nothing may be due by this machine's clock, not even for the second until the first heartbeat.
        await self._patience.until_back(lambda: synchronize(around.redis, self._clock))
        self._closing.push_async_callback(self._end_life)
        self._life = self._new_life(around)
        await self._life.begin()
        self.metrics.watch_database_pool(self._pool_use)
        self._in_background(self._keep_living(around), "lives")
        self._catch_up()

    async def stop(self, _: dict[Any, Any]) -> None:
        """Ends in good order; arq's `on_shutdown`.

        Raises:
            SystemExit: the worker stopped because a part of it failed.
        """
        if self._leaving is None:
            self._leave(within=self._settings.worker_grace)
        if self._leaving is not None:
            await asyncio.wait([self._leaving])
        self._patience.over = True
        await self._closing.aclose()
        _LOGGER.info("worker stopped")
        if self._watching:
            if self._told_to_stop:
                exit_at_once(int(self._failed))
            _LOGGER.info("worker_restarted", reason="a file changed")
            restart()
        if self._failed:
            raise SystemExit(1)
        if self._recycling.due and not self._told_to_stop:
            announce_recycling()

    async def _open(self) -> Surroundings:
        return await self._closing.enter_async_context(
            open_surroundings(
                self._settings,
                metrics=self.metrics,
                clock=self._clock,
                clock_watch=self._clock_watch,
                patience=self._patience,
                observers=self._observers(),
                running=self._names_of_running,
            )
        )

    def _observers(self) -> Sequence[RunObserver]:
        return (self._counts, MeasuredRuns(self.metrics, self._names), RecycledRuns(self._recycling))

    def _new_life(self, around: Surroundings) -> Life:
        return Life(
            around,
            self._tasks,
            self._queues,
            self._counts,
            schedules=[scheduled.published() for scheduled in self.cron_jobs],
            on_command=self._on_command,
            on_end_of_part=self._on_end_of_part,
        )

    def _catch_up(self) -> None:
        self._in_background(self.redis.catch_up(), "catching up")

    def _on_clock_set_back(self) -> None:
        _LOGGER.warning("redis_clock_set_back", advice="schedules tick by it; what ticked already stays")
        for scheduled in self.cron_jobs:
            # Or none would tick before the instant that was next by the clock as it was.
            scheduled.next_run = None

    async def _keep_living(self, around: Surroundings) -> None:
        """Goes on under another id whenever the worker counts as lost."""
        while self._life is not None:
            await self._life.lost.wait()
            _LOGGER.warning(
                "this worker counts as lost; its work is ended, and it goes on under another id",
                worker=self._life.worker_id,
            )
            await self._life.abandon()
            self._life = None
            if self._leaving is None:
                self._life = self._new_life(around)
                await self._life.begin()

    async def _end_life(self) -> None:
        # Not in a task that is cancelled, which would be cancelled again and again while it says goodbye.
        if self._life is not None:
            await self._life.end()

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> None:
        part = asyncio.create_task(work, name=name)

        part.add_done_callback(self._on_end_of_part)
        self._closing.push_async_callback(cancelled, part)

    def _on_end_of_part(self, part: asyncio.Task[None]) -> None:
        if part.cancelled() or (error := part.exception()) is None:
            return
        if isinstance(error, (RedisRefusal, FlexiPriceError)):
            # Somebody has to change something; where in the code it was met helps nobody.
            _LOGGER.critical("worker_refused", part=part.get_name(), reason=sentence_of(error))
        else:
            _LOGGER.critical("a part of the worker failed; stopping", part=part.get_name(), exc_info=error)
        self._failed = True
        self._on_signal()

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, self._on_signal)

    def _on_signal(self) -> None:
        if self._told_to_stop:
            self._hurry.set()
            return
        self._told_to_stop = True
        self._leave(within=self._settings.worker_grace)

    def _on_command(self, command: WorkerCommand) -> None:
        # Every heartbeat brings it again.
        if command in self._commands:
            return
        self._commands.add(command)
        _LOGGER.info("worker is asked to end", command=command.value)
        self._told_to_stop = True
        self._leave(within=self._settings.worker_grace if command is WorkerCommand.STOP else None)

    def _leave(self, *, within: timedelta | None = None) -> None:
        """Begins to end: takes no more jobs, and lets those end that run, for as long as is said."""
        loop = asyncio.get_running_loop()
        if within is not None:
            loop.call_later(within.total_seconds(), self._hurry.set)
        if self._leaving is None:
            self._leaving = loop.create_task(self._drain_and_end(), name="drain")

    async def _drain_and_end(self) -> None:
        try:
            if self._life is not None:
                await self._drain(self._life)
        except Exception:
            # Whatever it is: a worker that takes nothing more must end.
            self._failed = True
            _LOGGER.exception("drain_failed")
        finally:
            self._patience.over = True
            if self._main is not None:
                await cancelled(self._main)
            if self._watching and self._told_to_stop:
                # `arq --watch` waits for the next change to a file, and not for its worker to end.
                self._stopping = asyncio.create_task(self.stop({}), name="stop")

    async def _drain(self, life: Life) -> None:
        """Lets running jobs end, or hands them back when that takes too long."""
        await life.stop_taking()
        if not life.running:
            return
        _LOGGER.info("worker stops taking jobs", running=life.running)
        idle = asyncio.create_task(life.until_idle())
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait([idle, hurry], return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not idle.done():
            life.hand_back()
            await asyncio.wait([idle], timeout=_HAND_BACK_SECONDS)
            idle.cancel()

    def _pool_use(self) -> PoolUse:
        life = self._life
        return PoolUse(in_use=0, idle=0, size=0) if life is None else life.pool_use

    def _names_of_running(self) -> Sequence[str]:
        life = self._life
        return [] if life is None else life.names_of_running
