"""Runs schedules as arq cron jobs, and enqueues their ticks into the queues of their tasks."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from flexiprice.queue.arq import CronJob, Function, Job, to_unix_ms
from flexiprice.queue.client import EnqueuedJob, TaskQueue
from flexiprice.queue.cron import latest_tick, next_tick
from flexiprice.queue.declarations import Schedule, TaskArguments
from flexiprice.queue.redis import keys
from flexiprice.queue.worker.heartbeat import PublishedSchedule
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger
from workers.runtime.arq_redis import RetryingArqRedis
from workers.runtime.jobs.task import Task
from workers.runtime.monitoring.clock_monitor import ClockMonitor


def arq_function(task: Task[TaskArguments], settings: Settings) -> Function:
    """Returns a task as an arq function."""
    declaration = task.declaration
    return Function(
        name=declaration.name,
        coroutine=unsupported,
        timeout_s=declaration.time_limit_in(settings).total_seconds(),
        keep_result_s=settings.result_retention.total_seconds(),
        keep_result_forever=False,
        max_tries=declaration.retry.max_tries,
    )


async def unsupported(ctx: dict[Any, Any], *args: object, **kwargs: object) -> object:  # noqa: ARG001 -- as arq calls it
    """Stands in for every task: arq's worker never runs jobs, consumers do.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError("consumers run jobs; arq's worker only ticks schedules")


_LOGGER = get_logger(__name__)
# Ticks enqueued later than this count as missed. arq checks once a second, ahead of time.
_ON_TIME: Final = timedelta(seconds=5)

Clock = Callable[[], datetime]


@dataclass(repr=False, kw_only=True)
class ScheduledTask(CronJob):
    """An arq cron job that follows a crontab line in a time zone.

    Attributes:
        schedule: the task and its arguments.
        crontab: the crontab line.
        time_zone: IANA name of the zone in which the line is read.
        catch_up: maximum age of a missed tick that is still run.
        clock: returns the current time.
    """

    schedule: Schedule
    crontab: str
    time_zone: str
    catch_up: timedelta
    clock: Clock

    def calculate_next(self, prev_run: datetime) -> None:
        """Sets `next_run`, in UTC, to the first tick after an aware instant.

        If several are past, as after a suspend, it is the latest of them.
        """
        # arq compares it with now in UTC. Python compares instants of one zone by wall clock, which goes
        # back once a year.
        self.next_run = self.latest_missed(prev_run) or next_tick(
            self.crontab, self.time_zone, max(prev_run, self._oldest())
        )

    def published(self) -> PublishedSchedule:
        """Returns the schedule as the worker publishes it."""
        return PublishedSchedule(
            name=self.schedule.name,
            crontab=self.crontab,
            time_zone=self.time_zone,
            task=self.schedule.task.name,
            queue=self.schedule.task.queue,
        )

    def latest_missed(self, after: datetime) -> datetime | None:
        """Returns the latest past tick after an instant that is not too old to run."""
        return latest_tick(self.crontab, self.time_zone, after=max(after, self._oldest()), until=self.clock())

    def _oldest(self) -> datetime:
        return self.clock() - self.catch_up


def scheduled_task(schedule: Schedule, settings: Settings, clock: Clock) -> ScheduledTask:
    """Returns the cron job of a schedule under these settings."""
    return ScheduledTask(
        name=f"cron:{schedule.name}",
        coroutine=unsupported,
        month=None,
        day=None,
        weekday=None,
        hour=None,
        minute=None,
        second=0,
        microsecond=0,
        run_at_startup=False,
        unique=True,
        job_id=None,
        timeout_s=None,
        keep_result_s=0,
        keep_result_forever=False,
        max_tries=None,
        schedule=schedule,
        crontab=schedule.crontab(settings),
        time_zone=settings.timezone,
        catch_up=settings.schedule_catch_up,
        clock=clock,
    )


class SchedulerRedis(RetryingArqRedis):
    """The client of arq's worker, which consumes nothing and only ticks schedules.

    arq enqueues a cron job a second or two ahead, into the queue of its own worker. This client enqueues it
    as a job of the task, in the task's queue. Any consumer of that queue runs it, even if the worker that
    ticked has died.
    """

    settings: Settings
    scheduled: dict[str, ScheduledTask]
    clock_monitor: ClockMonitor

    async def enqueue_job(
        self,
        function: str,
        *_: object,
        _job_id: str | None = None,
        **__: object,
    ) -> Job | None:
        """Enqueues a tick. `_job_id` is arq's id, which ends in the tick's time.

        Does nothing while this machine's clock differs too much from that of Redis.
        """
        if self.clock_monitor.refuses:
            return None
        tick_at = datetime.fromtimestamp(int(str(_job_id).rpartition(":")[2]) / 1000, tz=UTC)
        job = await self._tick(self.scheduled[function], tick_at)
        if job is None or not job.created:
            return None
        return Job(job.job_id, redis=self, _queue_name=job.queue, _deserializer=self.job_deserializer)

    async def zrangebyscore(self, *_: object, **__: object) -> list[bytes]:
        """Returns no jobs: arq's worker must run none, whatever its queue contains."""
        return []

    async def catch_up(self) -> None:
        """Enqueues the latest missed tick of every schedule, if there is one.

        A schedule that has never ticked has missed nothing.
        """
        if self.clock_monitor.refuses:
            return
        for scheduled in self.scheduled.values():
            key = keys.schedule_key(scheduled.schedule.name)
            await cast("Awaitable[bool]", self.hsetnx(key, "since", str(to_unix_ms(scheduled.clock()))))
            known = await cast("Awaitable[list[bytes | None]]", self.hmget(key, ["since", "last_tick"]))
            # A time in the future comes from a clock that was wrong.
            now_ms = to_unix_ms(scheduled.clock())
            recorded = map(keys.whole_number, known)
            latest = max((value for value in recorded if 0 < value <= now_ms), default=now_ms)
            missed = scheduled.latest_missed(datetime.fromtimestamp(latest / 1000, tz=UTC))
            if missed is not None:
                await self._tick(scheduled, missed)

    async def zcard(self, name: bytes | str | memoryview) -> int:  # noqa: ARG002 -- as in redis-py
        """Counts the jobs that this worker has yet to run. `arq --burst` ends when there are none.

        Deferred jobs and running ones count, as arq counts them. Jobs of a paused queue do not, because no
        worker claims them.
        """
        paused = await cast("Awaitable[list[bytes]]", self.hkeys(keys.PAUSED_QUEUES))
        queues = {keys.queue_key(queue) for queue in self.settings.worker_queues} - {
            queue.decode(errors="replace") for queue in paused
        }
        async with self.pipeline(transaction=True) as pipe:
            for queue in sorted(queues):
                pipe.zcard(queue)
            # In arq's default queue only unrouted jobs count; routed ones are in their task's queue.
            pipe.zcount(keys.DEFAULT_QUEUE, "(1", "+inf")
            counts: list[int] = await pipe.execute()
        return sum(counts)

    async def _tick(self, scheduled: ScheduledTask, tick_at: datetime) -> EnqueuedJob | None:
        schedule, now = scheduled.schedule, scheduled.clock()
        late = now - tick_at > _ON_TIME
        if late and scheduled.latest_missed(tick_at - timedelta(seconds=1)) != tick_at:
            _LOGGER.info("tick_skipped", schedule=schedule.name, tick_at=tick_at.isoformat())
            return None
        queue = TaskQueue(self, self.settings)
        job = await self.redis_retry.call(
            lambda: queue.enqueue_tick(
                schedule.task,
                arguments=schedule.arguments(self.settings, tick_at),
                schedule=schedule.name,
                tick_at=tick_at,
                late=late,
            )
        )
        if job.created:
            facts = {"schedule": schedule.name, "tick_at": tick_at.isoformat(), "job_id": job.job_id}
            _LOGGER.info("schedule_ticked", late=late, **facts)
        return job


def by_name(scheduled: Iterable[ScheduledTask]) -> dict[str, ScheduledTask]:
    """Indexes scheduled tasks by arq's names for them."""
    return {cron_job.name: cron_job for cron_job in scheduled}
