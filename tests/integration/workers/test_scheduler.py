"""Ticks of arq's own cron loop under moved clocks, decided by a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from arq.connections import ArqRedis
from arq.cron import CronJob
from arq.worker import Worker

from flexiprice.domain.run import RunTrigger
from flexiprice.queue.admin.schedules import pause_schedule, resume_schedule
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS, SCHEDULES, TaskArguments
from flexiprice.queue.redis import keys
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Queue, Settings
from tests.support.waiting import until
from tests.support.workers import running
from workers.runtime.jobs.task import Task, TaskContext
from workers.runtime.process import WorkerProcess

WAIT = timedelta(seconds=120)
STEP = timedelta(minutes=20)


async def nothing(_: TaskContext, arguments: TaskArguments) -> dict[str, object]:
    """Stands in for every scheduled task."""
    return arguments.model_dump()


SCHEDULED_TASKS = tuple(Task(schedule.task, nothing) for schedule in SCHEDULES)


class MovedClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime.now(tz=UTC)

    def __call__(self) -> datetime:
        return self.now


CLOCK = MovedClock()


@asynccontextmanager
async def tickers(settings: Settings, count: int = 1) -> AsyncIterator[list[Worker]]:
    """The workers that arq's command would make, not started, by the moved clock."""
    processes = [WorkerProcess(settings, SCHEDULED_TASKS, clock=CLOCK) for _ in range(count)]
    yield [
        Worker(
            functions=process.functions,
            cron_jobs=process.cron_jobs,
            redis_pool=process.redis,
            queue_name="arq:queue:ticks",
            poll_delay=1.0,
            timezone=process.clock_zone,
            handle_signals=False,
        )
        for process in processes
    ]
    for process in processes:
        await process.redis.aclose(close_connection_pool=True)


async def tick_through(workers: list[Worker], first: datetime, last: datetime) -> None:
    """Lets workers live through a time in a moment."""
    now = first
    while now <= last:
        CLOCK.now = now
        await asyncio.gather(*(worker.run_cron(now, 1.0) for worker in workers))
        now += STEP


async def enqueued(redis: ArqRedis, queue: Queue) -> list[datetime]:
    """When the jobs of a queue are due, in order."""
    jobs = await redis.zrange(keys.queue_key(queue), 0, -1, withscores=True)
    return [datetime.fromtimestamp(due_ms / 1000, tz=UTC) for _, due_ms in jobs]


@pytest.mark.parametrize(
    ("queues", "names"),
    [
        (
            tuple(Queue),
            ["cron:recompute_all_discounts", "cron:cleanup_expired_discounts", "cron:update_price_history"],
        ),
        ((Queue.DISCOUNTS,), ["cron:recompute_all_discounts"]),
        (
            (Queue.ANALYTICS, Queue.MAINTENANCE),
            ["cron:cleanup_expired_discounts", "cron:update_price_history"],
        ),
    ],
)
async def test_a_worker_ticks_the_schedules_of_its_queues(
    settings: Settings, queues: tuple[Queue, ...], names: list[str]
):
    process = WorkerProcess(settings.model_copy(update={"worker_queues": queues}), SCHEDULED_TASKS)

    assert all(isinstance(cron_job, CronJob) for cron_job in process.cron_jobs)
    assert [cron_job.name for cron_job in process.cron_jobs] == names


async def test_redis_without_our_scripts_is_not_taken_for_unavailable(settings: Settings, redis: ArqRedis):
    await redis.script_flush()
    CLOCK.now = datetime(2026, 3, 1, tzinfo=UTC)
    async with tickers(settings) as workers, asyncio.timeout(120):
        await tick_through(workers, CLOCK.now, CLOCK.now + timedelta(hours=1))

    assert len(await enqueued(redis, Queue.DISCOUNTS)) >= 1


async def test_a_tick_becomes_one_job_of_its_task_however_many_workers_tick(
    settings: Settings, redis: ArqRedis
):
    day = datetime(2024, 5, 1, tzinfo=UTC)

    async with tickers(settings, count=3) as workers:
        await tick_through(workers, day - timedelta(hours=1), day + timedelta(hours=24))

    hours = [day + timedelta(hours=hour) for hour in range(25)]
    assert await enqueued(redis, Queue.DISCOUNTS) == hours
    assert await enqueued(redis, Queue.MAINTENANCE) == [hours[2]]
    assert await enqueued(redis, Queue.ANALYTICS) == [hours[0], hours[6], hours[12], hours[18], hours[24]]


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Europe/Berlin", datetime(2024, 3, 30, 12, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2024, 10, 26, 12, tzinfo=UTC)),
        ("America/New_York", datetime(2024, 3, 9, 12, tzinfo=UTC)),
        ("America/New_York", datetime(2024, 11, 2, 12, tzinfo=UTC)),
    ],
)
async def test_when_the_clock_changes_every_real_hour_and_every_day_has_one_run(
    settings: Settings, redis: ArqRedis, zone: str, first: datetime
):
    last = first + timedelta(hours=30)

    async with tickers(settings.model_copy(update={"timezone": zone})) as workers:
        await tick_through(workers, first, last)

    hours = [first + timedelta(hours=hour) for hour in range(1, 31)]
    assert await enqueued(redis, Queue.DISCOUNTS) == hours
    days = [due_at.astimezone(ZoneInfo(zone)).date() for due_at in await enqueued(redis, Queue.MAINTENANCE)]
    assert len(days) == 1


async def test_a_tick_that_has_run_does_not_run_again_for_a_worker_that_is_late(
    settings: Settings, queue: TaskQueue, redis: ArqRedis
):
    kept_briefly = settings.model_copy(update={"result_retention": timedelta(milliseconds=50)})
    tick_at = datetime.now(tz=UTC).replace(microsecond=0)
    schedule = SCHEDULES[0]

    async def tick() -> bool:
        job = await queue.enqueue_tick(
            RECOMPUTE_ALL_DISCOUNTS, arguments={}, schedule=schedule.name, tick_at=tick_at
        )
        return job.created

    async def forgotten() -> bool:
        job_id = f"{schedule.name}:{tick_at:%Y-%m-%dT%H:%M:%SZ}"
        return not await redis.exists(keys.job_key(job_id), keys.result_key(job_id), keys.record_key(job_id))

    async with running(kept_briefly, SCHEDULED_TASKS):
        assert await tick()
        await until(forgotten)
        assert not await tick()
    assert await enqueued(redis, Queue.DISCOUNTS) == []


async def test_a_tick_that_is_due_soon_waits_for_its_instant(settings: Settings, queue: TaskQueue):
    tick_at = (datetime.now(tz=UTC) + timedelta(seconds=1)).replace(microsecond=0)
    async with running(settings, SCHEDULED_TASKS):
        job = await queue.enqueue_tick(
            SCHEDULES[2].task, arguments={"slot_at": tick_at}, schedule=SCHEDULES[2].name, tick_at=tick_at
        )

        status = await queue.wait(job.job_id, WAIT)

    assert status.status is JobStatus.SUCCEEDED
    assert status.result == {"slot_at": tick_at}
    assert status.started_at is not None
    assert status.started_at >= tick_at


async def test_a_late_snapshot_is_told_the_instant_of_its_tick(
    settings: Settings, redis: ArqRedis, queue: TaskQueue
):
    yesterday = (datetime.now(tz=UTC) - timedelta(days=1)).replace(hour=6, minute=0, second=0, microsecond=0)
    async with tickers(settings) as workers:
        await tick_through(workers, yesterday - timedelta(hours=1), yesterday)
    (due_at,) = await enqueued(redis, Queue.ANALYTICS)

    async with running(settings, SCHEDULED_TASKS):
        status = await queue.wait(f"update_price_history:{yesterday:%Y-%m-%dT%H:%M:%SZ}", WAIT)

    assert due_at == yesterday
    assert status.result == {"slot_at": yesterday}


async def test_a_scheduled_job_is_asked_for_like_any_other(settings: Settings, queue: TaskQueue):
    day = datetime(2024, 5, 1, tzinfo=UTC)
    async with tickers(settings) as workers:
        await tick_through(workers, day, day + timedelta(hours=1))

    status = await queue.status("recompute_all_discounts:2024-05-01T01:00:00Z")

    assert (status.task, status.status) == ("recompute_all_discounts", JobStatus.QUEUED)


async def live_again(settings: Settings, redis: ArqRedis, now: datetime) -> list[datetime]:
    """When the recomputes are due that wait after a worker has started at an instant."""
    CLOCK.now = now
    process = WorkerProcess(settings, SCHEDULED_TASKS, clock=CLOCK)
    await process.redis.catch_up()
    await process.redis.aclose(close_connection_pool=True)
    return await enqueued(redis, Queue.DISCOUNTS)


async def test_latest_of_the_missed_ticks_runs_once_and_is_logged_as_late(
    settings: Settings, redis: ArqRedis, queue: TaskQueue
):
    noon = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)

    assert await live_again(settings, redis, noon) == []
    five = noon.replace(hour=17, minute=0)
    for now in (noon.replace(hour=17), noon.replace(hour=17, minute=40)):
        assert await live_again(settings, redis, now) == [five]

    status = await queue.status("recompute_all_discounts:2024-05-01T17:00:00Z")
    assert status.source.trigger is RunTrigger.LATE_SCHEDULE


async def test_a_missed_tick_that_is_older_than_the_setting_allows_does_not_run(
    settings: Settings, redis: ArqRedis
):
    nightly = settings.model_copy(
        update={"recompute_schedule": "0 2 * * *", "schedule_catch_up": timedelta(hours=6)}
    )
    night = datetime(2024, 5, 1, 1, 0, tzinfo=UTC)

    assert await live_again(nightly, redis, night) == []
    assert await live_again(nightly, redis, night + timedelta(hours=8)) == []
    assert await live_again(nightly, redis, night + timedelta(hours=30)) == [night + timedelta(hours=25)]


async def test_a_tick_that_was_taken_in_time_is_not_late(
    settings: Settings, redis: ArqRedis, queue: TaskQueue
):
    day = datetime(2024, 5, 1, tzinfo=UTC)
    async with tickers(settings) as workers:
        await tick_through(workers, day, day + timedelta(hours=1))
    await live_again(settings, redis, day + timedelta(hours=1, minutes=30))

    assert await enqueued(redis, Queue.DISCOUNTS) == [day + timedelta(hours=1)]
    status = await queue.status("recompute_all_discounts:2024-05-01T01:00:00Z")
    assert status.source.trigger is RunTrigger.SCHEDULE


async def test_ticks_that_come_due_while_a_schedule_is_paused_do_not_run_later(
    settings: Settings, redis: ArqRedis, queue: TaskQueue
):
    day = datetime(2024, 5, 1, tzinfo=UTC)
    await live_again(settings, redis, day)
    await pause_schedule(queue, "recompute_all_discounts", by="ada")
    async with tickers(settings) as workers:
        await tick_through(workers, day, day + timedelta(hours=3))
    await resume_schedule(queue, "recompute_all_discounts")

    assert await live_again(settings, redis, day + timedelta(hours=3, minutes=10)) == []


async def test_a_worker_that_slept_through_many_ticks_takes_the_latest(settings: Settings, redis: ArqRedis):
    day = datetime(2024, 5, 1, tzinfo=UTC)
    async with tickers(settings) as workers:
        await tick_through(workers, day, day + timedelta(minutes=40))
        wakes = day + timedelta(hours=9, minutes=5)
        CLOCK.now = wakes
        for _ in range(3):
            await asyncio.gather(*(worker.run_cron(wakes, 1.0) for worker in workers))

    assert await enqueued(redis, Queue.DISCOUNTS) == [day + timedelta(hours=9)]
