"""Schedules as arq's cron jobs: due by cron's rules, and enqueued where their tasks are run."""

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
from workers.runtime.arq_redis import PatientRedis
from workers.runtime.jobs.task import Task
from workers.runtime.monitoring.clock_watch import ClockWatch


def arq_function(task: Task[TaskArguments], settings: Settings) -> Function:
    """The task as arq takes it."""
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
    """Stands for every task.

    Raises:
        RuntimeError: always: jobs are run by the consumers beside arq's worker, which only ticks.
    """
    raise RuntimeError("jobs are run by consumers, never by the worker that ticks")


_LOGGER = get_logger(__name__)
# A tick that is enqueued later than this was missed; arq looks once a second, and ahead.
_ON_TIME: Final = timedelta(seconds=5)

Clock = Callable[[], datetime]


@dataclass(repr=False, kw_only=True)
class ScheduledTask(CronJob):
    """A cron job that comes due as a crontab line says, in the zone in which it is meant.

    Attributes:
        schedule: what it runs, and with which arguments.
        crontab: when it runs.
        time_zone: IANA name of the zone whose clock the line means.
        catch_up: how old a tick that was missed may be, to be run late.
        clock: tells the instant.
    """

    schedule: Schedule
    crontab: str
    time_zone: str
    catch_up: timedelta
    clock: Clock

    def calculate_next(self, prev_run: datetime) -> None:
        """Sets `next_run`, in UTC, to the first tick after an aware instant.

        Where several are past by now, as after a long sleep, it is the latest of them.
        """
        # arq compares it with the instant now in UTC; of instants in one zone Python would compare the
        # clock's hands, which go back once a year.
        self.next_run = self.latest_missed(prev_run) or next_tick(
            self.crontab, self.time_zone, max(prev_run, self._oldest())
        )

    def published(self) -> PublishedSchedule:
        """What the worker tells others of it."""
        return PublishedSchedule(
            name=self.schedule.name,
            crontab=self.crontab,
            time_zone=self.time_zone,
            task=self.schedule.task.name,
            queue=self.schedule.task.queue,
        )

    def latest_missed(self, after: datetime) -> datetime | None:
        """The latest tick after an instant that is past, and not too old to be run."""
        return latest_tick(self.crontab, self.time_zone, after=max(after, self._oldest()), until=self.clock())

    def _oldest(self) -> datetime:
        return self.clock() - self.catch_up


def scheduled_task(schedule: Schedule, settings: Settings, clock: Clock) -> ScheduledTask:
    """The cron job of a schedule under these settings."""
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


class SchedulerRedis(PatientRedis):
    """The client of the one worker that arq's command starts, which consumes nothing and only ticks.

    arq enqueues a cron job, a second or two before it is due, into the queue of the worker that ticks,
    to be run there. Here it becomes a job of its task in its task's own queue: whoever consumes that
    queue runs it, even where the worker that ticked is gone by then.
    """

    settings: Settings
    scheduled: dict[str, ScheduledTask]
    clock_watch: ClockWatch

    async def enqueue_job(
        self,
        function: str,
        *_: object,
        _job_id: str | None = None,
        **__: object,
    ) -> Job | None:
        """Enqueues a tick; `_job_id` is arq's id of it, which ends in the tick's instant.

        A worker whose clock is too far from that of Redis leaves it to others, or until one of them is set.
        """
        if self.clock_watch.refuses:
            return None
        tick_at = datetime.fromtimestamp(int(str(_job_id).rpartition(":")[2]) / 1000, tz=UTC)
        job = await self._tick(self.scheduled[function], tick_at)
        if job is None or not job.created:
            return None
        return Job(job.job_id, redis=self, _queue_name=job.queue, _deserializer=self.job_deserializer)

    async def zrangebyscore(self, *_: object, **__: object) -> list[bytes]:
        """Nothing: arq's worker asks for jobs to run, and this one runs none, whatever its queue holds."""
        return []

    async def catch_up(self) -> None:
        """Enqueues of every schedule the latest tick that came due while nobody ticked, if any.

        A schedule that nobody has ever ticked has missed nothing.
        """
        if self.clock_watch.refuses:
            return
        for scheduled in self.scheduled.values():
            key = keys.schedule_key(scheduled.schedule.name)
            await cast("Awaitable[bool]", self.hsetnx(key, "since", str(to_unix_ms(scheduled.clock()))))
            known = await cast("Awaitable[list[bytes | None]]", self.hmget(key, ["since", "last_tick"]))
            # What lies in the future was noted by a clock that was wrong.
            now_ms = to_unix_ms(scheduled.clock())
            noted = map(keys.whole_number, known)
            latest = max((each for each in noted if 0 < each <= now_ms), default=now_ms)
            missed = scheduled.latest_missed(datetime.fromtimestamp(latest / 1000, tz=UTC))
            if missed is not None:
                await self._tick(scheduled, missed)

    async def zcard(self, name: bytes | str | memoryview) -> int:  # noqa: ARG002 -- as redis-py has it
        """Counts the jobs that this worker has yet to run: what `arq --burst` asks before it ends.

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
            # Of arq's default queue only what no worker has routed; the rest stands in its task's queue.
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
    """Scheduled tasks by the names that arq calls them by."""
    return {cron_job.name: cron_job for cron_job in scheduled}
