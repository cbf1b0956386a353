"""The schedules: when each ticks next, and pausing, resuming and running them out of turn."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

from cronsim import CronSimError

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import NotFound
from flexiprice.jobs import keys
from flexiprice.jobs.client import EnqueuedJob, TaskQueue
from flexiprice.jobs.declarations import SCHEDULES, Schedule
from flexiprice.jobs.fleet import LiveWorker
from flexiprice.jobs.operation_scripts import PAUSE_SCHEDULE, RESUME_SCHEDULE
from flexiprice.jobs.origin import JobOrigin
from flexiprice.jobs.redis import redis_errors
from flexiprice.jobs.schedule import next_tick
from flexiprice.jobs.server_clock import redis_now
from flexiprice.settings import Queue, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleLine:
    """A crontab line of a schedule with its zone, and the workers that tick by it.

    Attributes:
        crontab: when the schedule ticks.
        time_zone: the zone whose clock the crontab line means.
        worker_ids: who says so; nobody where the line is that of the settings of whoever asks.
    """

    crontab: str
    time_zone: str
    worker_ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.crontab} {self.time_zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleState:
    """A schedule at one moment.

    Attributes:
        name: its own.
        task: what it runs.
        queue: where its jobs wait.
        crontab: when it ticks, by the line of most workers.
        time_zone: the zone whose clock that line means.
        lines: when it ticks, as the live workers say that tick it, the line of most workers first. Where
            none does, the one line of the settings of whoever asks, without workers.
        next_tick_at: when it ticks next, by any line; while it is paused, without consequence.
        last_tick_at: the latest tick that a worker took; None before the first.
        paused_at: since when it is paused; None while it is not.
        paused_by: who paused it.
        read_at: when this was read, by the clock of Redis.
    """

    name: str
    task: str
    queue: Queue
    crontab: str
    time_zone: str
    lines: tuple[ScheduleLine, ...]
    next_tick_at: datetime
    last_tick_at: datetime | None
    paused_at: datetime | None
    paused_by: str | None
    read_at: datetime

    @property
    def is_published(self) -> bool:
        """Whether workers say when it ticks; if not, only local settings do."""
        return bool(self.lines[0].worker_ids)

    @property
    def disagreement(self) -> str | None:
        """The lines by which different workers tick it; None where all agree."""
        if len(self.lines) < 2:
            return None
        return "; ".join(f"{line} on {', '.join(line.worker_ids)}" for line in self.lines)

    @property
    def untaken_since(self) -> datetime | None:
        """The first tick that is past and that nobody took; None where it is on time, paused or new."""
        if self.paused_at is not None or self.last_tick_at is None:
            return None
        due_at = _next_tick(self.lines, self.last_tick_at)
        return due_at if due_at <= self.read_at else None


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
    tasks: TaskQueue,
    *,
    now: datetime | None = None,
    workers: Sequence[LiveWorker] | None = None,
    schedules: Sequence[Schedule] = SCHEDULES,
) -> tuple[ScheduleState, ...]:
    """All schedules as they stand, by what the live workers publish of them.

    Args:
        tasks: the queue's access.
        now: the instant; None for that by the clock of Redis.
        workers: those that live, where they are known already.
        schedules: which.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    workers = await tasks.live_workers() if workers is None else workers
    with redis_errors():
        at = now or await redis_now(tasks.redis)
        async with tasks.redis.pipeline(transaction=False) as pipe:
            for schedule in schedules:
                pipe.hmget(keys.schedule_key(schedule.name), ["last_tick", "paused_at", "paused_by"])
            records: list[list[bytes | None]] = await pipe.execute()
    states: list[ScheduleState] = []
    for schedule, (last_tick, paused_at, paused_by) in zip(schedules, records, strict=True):
        lines = _lines(schedule, tasks.settings, workers)
        states.append(
            ScheduleState(
                name=schedule.name,
                task=schedule.task.name,
                queue=schedule.task.queue,
                crontab=lines[0].crontab,
                time_zone=lines[0].time_zone,
                lines=lines,
                next_tick_at=_next_tick(lines, at),
                last_tick_at=keys.find_instant(last_tick),
                paused_at=None if paused_at is None else keys.instant_of(paused_at),
                paused_by=None if paused_by is None else paused_by.decode(errors="replace"),
                read_at=at,
            )
        )
    return tuple(states)


def _lines(schedule: Schedule, settings: Settings, workers: Sequence[LiveWorker]) -> tuple[ScheduleLine, ...]:
    """When a schedule ticks: as the live workers publish it, or by the settings where none does."""
    found: dict[tuple[str, str], list[str]] = {}
    for worker in workers:
        for published in worker.schedules:
            if published.name == schedule.name and not worker.refuses_schedules:
                found.setdefault((published.crontab, published.time_zone), []).append(worker.worker_id)
    lines = [
        ScheduleLine(crontab=crontab, time_zone=zone, worker_ids=tuple(worker_ids))
        for (crontab, zone), worker_ids in found.items()
        if _can_be_read(crontab, zone)
    ]
    if not lines:
        return (ScheduleLine(crontab=schedule.crontab(settings), time_zone=settings.timezone),)
    return tuple(sorted(lines, key=lambda line: (-len(line.worker_ids), line.crontab, line.time_zone)))


def _can_be_read(crontab: str, time_zone: str) -> bool:
    # A worker on a machine with other time zones may live by one that is unknown here.
    try:
        next_tick(crontab, time_zone, datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, ValueError, OSError, KeyError):
        return False
    return True


def _next_tick(lines: Sequence[ScheduleLine], after: datetime) -> datetime:
    return min(next_tick(line.crontab, line.time_zone, after) for line in lines)


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


async def run_schedule(tasks: TaskQueue, name: str, *, origin: JobOrigin) -> EnqueuedJob:
    """Enqueues now what a schedule runs, paused or not; its ticks stay as they are.

    Raises:
        NotFound: there is no such schedule.
        QueueFull: its queue holds `queue_limit` jobs.
        RedisUnavailable: Redis does not answer.
    """
    schedule = get_schedule(name)
    return await tasks.enqueue(
        schedule.task,
        arguments=schedule.arguments(tasks.settings, None),
        origin=replace(origin, trigger=RunTrigger.SCHEDULE_BY_HAND),
    )
