"""Reads, pauses, resumes and manually runs schedules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, cast

from cronsim import CronSimError

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import InvalidInput, NotFound
from flexiprice.queue.client import EnqueuedJob, TaskQueue
from flexiprice.queue.cron import next_tick
from flexiprice.queue.declarations import DECLARED_SCHEDULES, Schedule, schedules_in
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.clock import redis_now
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.redis.scripts import PAUSE_SCHEDULE, RESUME_SCHEDULE
from flexiprice.queue.schedule_state import ScheduleLine, ScheduleState, first_tick
from flexiprice.queue.source import JobSource
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.settings import Queue

STARTED_BEFORE: Final = "this program was started before it was added: restart this program to run it by hand"


async def _require_schedule(tasks: TaskQueue, name: str) -> None:
    """Checks that this program or a live worker has a schedule of this name.

    Raises:
        NotFound: there is no such schedule.
        RedisUnavailable: this program does not have it, and Redis does not answer.
    """
    ours = [schedule.name for schedule in schedules_in(tasks.settings)]
    if name not in ours:
        theirs = [schedule.name for schedule in _known_to_workers_only(tasks, await tasks.live_workers())]
        if name not in theirs:
            raise _unknown(name, [*ours, *theirs])


def _unknown(name: str, known: Sequence[str]) -> NotFound:
    return NotFound(f"there is no schedule {name!r}; there are {', '.join(known)}", field="schedule")


async def list_schedules(
    tasks: TaskQueue,
    *,
    now: datetime | None = None,
    workers: Sequence[LiveWorker] | None = None,
    schedules: Sequence[Schedule] | None = None,
) -> tuple[ScheduleState, ...]:
    """Reads the state of schedules, as the live workers publish them.

    Args:
        tasks: the task queue.
        now: the current time; None for that of Redis.
        workers: the live workers, if already read.
        schedules: the schedules; None for those of this program, then those that only workers have.

    Raises:
        RedisUnavailable: Redis does not answer.
    """
    workers = await tasks.live_workers() if workers is None else workers
    named = [
        _Named(schedule.name, schedule.task.name, schedule.task.queue, schedule)
        for schedule in schedules or schedules_in(tasks.settings)
    ]
    if schedules is None:
        named += _known_to_workers_only(tasks, workers)
    with redis_errors():
        at = now or await redis_now(tasks.redis)
        async with tasks.redis.pipeline(transaction=False) as pipe:
            for schedule in named:
                pipe.hmget(keys.schedule_key(schedule.name), ["last_tick", "paused_at", "paused_by"])
            records: list[list[bytes | None]] = await pipe.execute()
    states: list[ScheduleState] = []
    for schedule, (last_tick, paused_at, paused_by) in zip(named, records, strict=True):
        lines = _lines(schedule.name, workers)
        if not lines and schedule.declared is not None:
            crontab = schedule.declared.crontab(tasks.settings)
            lines = (ScheduleLine(crontab=crontab, time_zone=tasks.settings.timezone),)
        if not lines:
            # No usable line: its workers' clocks are wrong, or their time zone is unknown here.
            continue
        states.append(
            ScheduleState(
                name=schedule.name,
                task=schedule.task,
                queue=schedule.queue,
                crontab=lines[0].crontab,
                time_zone=lines[0].time_zone,
                lines=lines,
                next_tick_at=first_tick(lines, at),
                last_tick_at=keys.find_instant(last_tick),
                paused_at=None if paused_at is None else keys.instant_of(paused_at),
                paused_by=None if paused_by is None else paused_by.decode(errors="replace"),
                read_at=at,
            )
        )
    return tuple(states)


@dataclass(frozen=True, slots=True)
class _Named:
    """A schedule by name; `declared` is None if only workers have it."""

    name: str
    task: str
    queue: Queue
    declared: Schedule | None = None


def _known_to_workers_only(tasks: TaskQueue, workers: Sequence[LiveWorker]) -> list[_Named]:
    ours = {schedule.name for schedule in schedules_in(tasks.settings)}
    found = {
        published.name: _Named(published.name, published.task, published.queue)
        for worker in workers
        for published in worker.schedules
        if published.name not in ours and published.task is not None and published.queue is not None
    }
    return [found[name] for name in sorted(found)]


def _lines(name: str, workers: Sequence[LiveWorker]) -> tuple[ScheduleLine, ...]:
    """Returns the lines that live workers publish for a schedule, that of most workers first."""
    found: dict[tuple[str, str], list[str]] = {}
    for worker in workers:
        for published in worker.schedules:
            if published.name == name and not worker.refuses_schedules:
                found.setdefault((published.crontab, published.time_zone), []).append(worker.worker_id)
    lines = [
        ScheduleLine(crontab=crontab, time_zone=zone, worker_ids=tuple(worker_ids))
        for (crontab, zone), worker_ids in found.items()
        if _is_readable(crontab, zone)
    ]
    return tuple(sorted(lines, key=lambda line: (-len(line.worker_ids), line.crontab, line.time_zone)))


def _is_readable(crontab: str, time_zone: str) -> bool:
    # The worker's machine may know a time zone that is unknown here.
    try:
        next_tick(crontab, time_zone, datetime(2000, 1, 1, tzinfo=UTC))
    except (CronSimError, ValueError, OSError, KeyError):
        return False
    return True


async def pause_schedule(tasks: TaskQueue, name: str, *, by: str) -> bool:
    """Pauses a schedule on all workers: its ticks pass without a run.

    A tick that is already enqueued, up to two seconds ahead, still runs.

    Returns:
        False if it was paused already; the earlier pause is kept.

    Raises:
        NotFound: there is no such schedule.
        RedisUnavailable: Redis does not answer.
    """
    await _require_schedule(tasks, name)
    key = keys.schedule_key(name)
    with redis_errors():
        return cast("int", await tasks.redis.register_script(PAUSE_SCHEDULE)(keys=[key], args=[by])) > 0


async def resume_schedule(tasks: TaskQueue, name: str) -> bool:
    """Resumes a schedule. Ticks during the pause are not caught up.

    Returns:
        False if it was not paused.

    Raises:
        NotFound: there is no such schedule.
        RedisUnavailable: Redis does not answer.
    """
    await _require_schedule(tasks, name)
    key = keys.schedule_key(name)
    with redis_errors():
        return cast("int", await tasks.redis.register_script(RESUME_SCHEDULE)(keys=[key])) > 0


async def run_schedule(tasks: TaskQueue, name: str, *, source: JobSource) -> EnqueuedJob:
    """Enqueues the task of a schedule now, even if it is paused. Its ticks are not affected.

    Raises:
        NotFound: there is no such schedule.
        InvalidInput: only workers have it, so its arguments are unknown here.
        QueueFull: its queue holds `queue_limit` jobs.
        RedisUnavailable: Redis does not answer.
    """
    await _require_schedule(tasks, name)
    schedule = next((known for known in DECLARED_SCHEDULES if known.name == name), None)
    if schedule is None:
        raise InvalidInput(f"workers have the schedule {name!r}, but {STARTED_BEFORE}", field="schedule")
    return await tasks.enqueue(
        schedule.task,
        arguments=schedule.arguments(tasks.settings, None),
        source=replace(source, trigger=RunTrigger.SCHEDULE_BY_HAND),
    )
