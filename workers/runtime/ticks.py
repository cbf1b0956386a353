"""Schedules as arq's cron jobs: due by cron's rules, and enqueued where their tasks are run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from arq.connections import ArqRedis
from arq.cron import CronJob
from arq.jobs import Job

from flexiprice.jobs.client import TaskQueue
from flexiprice.jobs.declarations import Schedule, TaskArguments
from flexiprice.jobs.schedule import next_tick
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger
from workers.runtime.execution import arq_coroutine
from workers.runtime.patience import Patience
from workers.runtime.task import Task

_LOGGER = get_logger(__name__)


@dataclass(repr=False, kw_only=True)
class ScheduledTask(CronJob):
    """A cron job that comes due as a crontab line says, in the zone in which it is meant.

    Attributes:
        schedule: what it runs, and with which arguments.
        crontab: when it runs.
        time_zone: IANA name of the zone whose clock the line means.
    """

    schedule: Schedule
    crontab: str
    time_zone: str

    def calculate_next(self, prev_run: datetime) -> None:
        """Sets `next_run`, in UTC, to the first tick after an aware instant."""
        # arq compares it with the instant now in UTC; of instants in one zone Python would compare the
        # clock's hands, which go back once a year.
        self.next_run = next_tick(self.crontab, self.time_zone, prev_run)


def scheduled_task(schedule: Schedule, task: Task[TaskArguments], settings: Settings) -> ScheduledTask:
    """The cron job of a schedule under these settings."""
    return ScheduledTask(
        name=f"cron:{schedule.name}",
        coroutine=arq_coroutine(task),
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
    )


class TickingRedis(ArqRedis):
    """The client of the one worker that arq's command starts, which consumes nothing and only ticks.

    arq enqueues a cron job, a second or two before it is due, into the queue of the worker that ticks,
    to be run there. Here it becomes a job of its task in its task's own queue: whoever consumes that
    queue runs it, even where the worker that ticked is gone by then.
    """

    settings: Settings
    patience: Patience
    scheduled: dict[str, ScheduledTask]

    async def enqueue_job(
        self,
        function: str,
        *_: object,
        _job_id: str | None = None,
        **__: object,
    ) -> Job | None:
        """Enqueues a tick; `_job_id` is arq's id of it, which ends in the tick's instant."""
        cron_job = self.scheduled[function]
        tick_at = datetime.fromtimestamp(int(str(_job_id).rpartition(":")[2]) / 1000, tz=UTC)
        schedule = cron_job.schedule
        queue = TaskQueue(self, self.settings)
        job = await self.patience.until_back(
            lambda: queue.enqueue_tick(
                schedule.task,
                arguments=schedule.arguments(self.settings, tick_at),
                schedule=schedule.name,
                tick_at=tick_at,
            )
        )
        if not job.created:
            return None
        _LOGGER.info(
            "schedule ticked", schedule=schedule.name, tick_at=tick_at.isoformat(), job_id=job.job_id
        )
        return Job(job.job_id, redis=self, _queue_name=job.queue, _deserializer=self.job_deserializer)

    async def close(self, close_connection_pool: bool | None = None) -> None:
        """Closes, by the name that arq still uses and redis-py warns of."""
        await self.aclose(close_connection_pool)

    async def execute_command(self, *args: object, **options: object) -> object:
        """Runs a command, however long Redis is away."""
        execute = cast("Callable[..., Awaitable[object]]", super().execute_command)
        return await self.patience.until_back(lambda: execute(*args, **options))
