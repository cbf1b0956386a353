"""The schedules: when each ticks next, and pausing, resuming and running them out of turn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import NotFound
from flexiprice.jobs import keys
from flexiprice.jobs.client import EnqueuedJob, TaskQueue
from flexiprice.jobs.declarations import SCHEDULES, Schedule
from flexiprice.jobs.operation_scripts import PAUSE_SCHEDULE, RESUME_SCHEDULE
from flexiprice.jobs.origin import JobOrigin
from flexiprice.jobs.redis import redis_errors
from flexiprice.jobs.schedule import next_tick
from flexiprice.settings import Queue


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """A schedule at one moment.

    Attributes:
        name: its own.
        task: what it runs.
        queue: where its jobs wait.
        crontab: when it ticks.
        time_zone: the zone whose clock the crontab line means.
        next_tick_at: when it ticks next; while it is paused, without consequence.
        last_tick_at: the latest tick that a worker took; None before the first.
        paused_at: since when it is paused; None while it is not.
        paused_by: who paused it.
    """

    name: str
    task: str
    queue: Queue
    crontab: str
    time_zone: str
    next_tick_at: datetime
    last_tick_at: datetime | None
    paused_at: datetime | None
    paused_by: str | None


def get_schedule(name: str, schedules: Sequence[Schedule] = SCHEDULES) -> Schedule:
    """A schedule by its name.

    Raises:
        NotFound: there is no such schedule.
    """
    for schedule in schedules:
        if schedule.name == name:
            return schedule
    known = ", ".join(schedule.name for schedule in schedules)
    raise NotFound(f"there is no schedule {name!r}; there are {known}", field="schedule")


async def list_schedules(
    tasks: TaskQueue, *, now: datetime, schedules: Sequence[Schedule] = SCHEDULES
) -> tuple[ScheduleState, ...]:
    """All schedules as they stand.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    settings = tasks.settings
    with redis_errors():
        async with tasks.redis.pipeline(transaction=False) as pipe:
            for schedule in schedules:
                pipe.hmget(keys.schedule_key(schedule.name), ["last_tick", "paused_at", "paused_by"])
            records: list[list[bytes | None]] = await pipe.execute()
    return tuple(
        ScheduleState(
            name=schedule.name,
            task=schedule.task.name,
            queue=schedule.task.queue,
            crontab=schedule.crontab(settings),
            time_zone=settings.timezone,
            next_tick_at=next_tick(schedule.crontab(settings), settings.timezone, now),
            last_tick_at=keys.find_instant(last_tick),
            paused_at=None if paused_at is None else keys.instant_of(paused_at),
            paused_by=None if paused_by is None else paused_by.decode(errors="replace"),
        )
        for schedule, (last_tick, paused_at, paused_by) in zip(schedules, records, strict=True)
    )


async def pause_schedule(tasks: TaskQueue, name: str, *, by: str) -> bool:
    """Lets the ticks of a schedule pass without a run, on all workers, from now on.

    A tick that was enqueued already, up to two seconds before it is due, still runs.

    Returns:
        False where it was paused already; that pause stays as it is.

    Raises:
        NotFound: there is no such schedule.
        RedisUnavailable: Redis does not answer.
    """
    key = keys.schedule_key(get_schedule(name).name)
    with redis_errors():
        return cast("int", await tasks.redis.register_script(PAUSE_SCHEDULE)(keys=[key], args=[by])) > 0


async def resume_schedule(tasks: TaskQueue, name: str) -> bool:
    """Lets a schedule tick again; the ticks that it missed do not run.

    Returns:
        False where it was not paused.

    Raises:
        NotFound: there is no such schedule.
        RedisUnavailable: Redis does not answer.
    """
    key = keys.schedule_key(get_schedule(name).name)
    with redis_errors():
        return cast("int", await tasks.redis.register_script(RESUME_SCHEDULE)(keys=[key])) > 0


async def run_schedule(tasks: TaskQueue, name: str, *, now: datetime, origin: JobOrigin) -> EnqueuedJob:
    """Enqueues now what a schedule runs, paused or not; its ticks stay as they are.

    Raises:
        NotFound: there is no such schedule.
        QueueFull: its queue holds `queue_limit` jobs.
        RedisUnavailable: Redis does not answer.
    """
    schedule = get_schedule(name)
    return await tasks.enqueue(
        schedule.task,
        arguments=schedule.arguments(tasks.settings, now),
        origin=replace(origin, trigger=RunTrigger.SCHEDULE_BY_HAND),
    )
