"""Schedules as workers publish them: listed, paused, resumed, and ticked by the clock of Redis."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from arq.connections import ArqRedis
from arq.utils import to_unix_ms

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import InvalidInput, NotFound
from flexiprice.queue.admin.metrics_snapshot import take_snapshot
from flexiprice.queue.admin.schedules import list_schedules, pause_schedule, resume_schedule, run_schedule
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS, SCHEDULES
from flexiprice.queue.redis import keys
from flexiprice.queue.schedule_state import ScheduleLine
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobStatus
from flexiprice.queue.worker.heartbeat import LiveWorker, PublishedSchedule, send_heartbeat
from flexiprice.settings import Queue, Settings

ME = JobSource(trigger=RunTrigger.CLI, actor="ada")
HOURLY = SCHEDULES[0].name
NIGHTLY = PublishedSchedule(
    name="count_stock", crontab="30 4 * * *", time_zone="UTC", task="count", queue=Queue.ANALYTICS
)


async def tick(queue: TaskQueue, tick_at: datetime) -> bool:
    job = await queue.enqueue_tick(RECOMPUTE_ALL_DISCOUNTS, arguments={}, schedule=HOURLY, tick_at=tick_at)
    return job.created


async def test_a_tick_in_the_future_is_impossible(queue: TaskQueue, redis: ArqRedis):
    now = datetime.now(UTC).replace(microsecond=0)

    assert not await tick(queue, now + timedelta(days=1))
    assert not await tick(queue, now + timedelta(seconds=10))

    assert await tick(queue, now)
    assert await redis.zcard(keys.queue_key(RECOMPUTE_ALL_DISCOUNTS.queue)) == 1


async def test_a_last_tick_that_lies_in_the_future_does_not_stop_a_schedule(
    queue: TaskQueue, redis: ArqRedis
):
    now = datetime.now(UTC).replace(microsecond=0)
    tomorrow = to_unix_ms(now + timedelta(days=1))
    await redis.hset(keys.schedule_key(HOURLY), "last_tick", str(tomorrow))

    assert await tick(queue, now)
    assert not await tick(queue, now - timedelta(minutes=1))


def published(crontab: str, *, zone: str = "UTC") -> tuple[PublishedSchedule, ...]:
    return (PublishedSchedule(name=HOURLY, crontab=crontab, time_zone=zone),)


def a_worker(worker_id: str, schedules: tuple[PublishedSchedule, ...]) -> LiveWorker:
    now = datetime.now(UTC)
    return LiveWorker(
        worker_id=worker_id,
        host="till",
        pid=7,
        queues=tuple(schedule.task.queue for schedule in SCHEDULES),
        tasks=(),
        version="0.1.0",
        concurrency=1,
        started_at=now,
        seen_at=now,
        schedules=schedules,
    )


async def test_schedules_are_those_that_workers_publish_and_not_those_of_whoever_asks(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    (state, *_) = await list_schedules(queue)
    assert (state.is_published, state.crontab) == (False, settings.recompute_schedule)

    await send_heartbeat(redis, a_worker("one", published("30 4 * * *", zone="Europe/Berlin")), joining=True)
    (state, *_) = await list_schedules(queue)
    assert (state.crontab, state.time_zone) == ("30 4 * * *", "Europe/Berlin")
    assert (state.is_published, state.disagreement) == (True, None)


async def test_workers_that_tick_a_schedule_differently_are_named(queue: TaskQueue, redis: ArqRedis):
    await send_heartbeat(redis, a_worker("one", published("30 4 * * *")), joining=True)
    await send_heartbeat(redis, a_worker("two", published("0 * * * *")), joining=True)
    await send_heartbeat(redis, a_worker("three", published("0 * * * *")), joining=True)

    (state, *_) = await list_schedules(queue, now=datetime(2026, 3, 1, 4, 10, tzinfo=UTC))

    assert state.disagreement is not None
    assert "30 4 * * * UTC on one" in state.disagreement
    # Both tick it.
    assert state.crontab == "0 * * * *"
    assert state.next_tick_at == datetime(2026, 3, 1, 4, 30, tzinfo=UTC)
    assert (await take_snapshot(queue)).schedule_disagreements == 1


async def test_a_schedule_that_only_workers_have_is_listed_with_them_paused_and_resumed(
    queue: TaskQueue, redis: ArqRedis
):
    await send_heartbeat(redis, a_worker("one", (NIGHTLY,)), joining=True)

    (*ours, theirs) = await list_schedules(queue)
    assert [state.name for state in ours] == [schedule.name for schedule in SCHEDULES]
    assert (theirs.name, theirs.task, theirs.queue) == ("count_stock", "count", Queue.ANALYTICS)
    assert theirs.lines == (ScheduleLine(crontab="30 4 * * *", time_zone="UTC", worker_ids=("one",)),)
    assert "count_stock" in (await take_snapshot(queue)).schedule_lag

    assert await pause_schedule(queue, "count_stock", by="ada")
    (*_, theirs) = await list_schedules(queue)
    assert theirs.paused_by == "ada"
    assert await resume_schedule(queue, "count_stock")
    # With which arguments it runs, only those workers know.
    with pytest.raises(InvalidInput, match="workers have the schedule 'count_stock', but this program"):
        await run_schedule(queue, "count_stock", source=JobSource())
    with pytest.raises(NotFound, match="update_price_history, count_stock"):
        await pause_schedule(queue, "weekly", by="ada")


async def test_schedule_of_unknown_task_or_of_workers_that_never_tick_is_not_listed(
    queue: TaskQueue, redis: ArqRedis
):
    of_an_older_version = replace(NIGHTLY, name="count_waste", task=None, queue=None)
    await send_heartbeat(redis, a_worker("old", (of_an_older_version,)), joining=True)
    a_day_ahead = replace(a_worker("two", (NIGHTLY,)), clock_drift_seconds=86_400.0)
    await send_heartbeat(redis, a_day_ahead, joining=True)

    assert len(await list_schedules(queue)) == len(SCHEDULES)


async def test_a_paused_schedule_lets_its_ticks_pass_and_goes_on_with_the_next(
    queue: TaskQueue, redis: ArqRedis
):
    start = datetime.now(tz=UTC).replace(microsecond=0)

    async def tick(tick_at: datetime) -> bool:
        job = await queue.enqueue_tick(
            RECOMPUTE_ALL_DISCOUNTS, arguments={}, schedule=HOURLY, tick_at=tick_at
        )
        return job.created

    assert await tick(start - timedelta(minutes=2))
    assert await pause_schedule(queue, HOURLY, by="ada")
    assert not await pause_schedule(queue, HOURLY, by="bob")
    assert not await tick(start - timedelta(minutes=1))
    (state, *_) = await list_schedules(queue)
    assert await resume_schedule(queue, HOURLY)
    assert not await resume_schedule(queue, HOURLY)
    assert not await tick(start - timedelta(minutes=1))
    # Enqueued a moment early, as ticks are.
    assert await tick(datetime.now(tz=UTC).replace(microsecond=0) + timedelta(seconds=2))

    assert (state.name, state.paused_by, state.crontab) == (HOURLY, "ada", "0 * * * *")
    assert state.last_tick_at == start - timedelta(minutes=1)
    assert await redis.zcard(keys.queue_key(Queue.DISCOUNTS)) == 2


async def test_ticks_missed_while_a_schedule_was_paused_are_not_made_up_on_resume(queue: TaskQueue):
    await pause_schedule(queue, HOURLY, by="ada")
    await resume_schedule(queue, HOURLY)

    missed = await queue.enqueue_tick(
        RECOMPUTE_ALL_DISCOUNTS,
        arguments={},
        schedule=HOURLY,
        tick_at=datetime.now(tz=UTC) - timedelta(minutes=1),
        late=True,
    )

    assert not missed.created


async def test_a_schedule_is_run_out_of_turn_even_while_it_is_paused(queue: TaskQueue):
    await pause_schedule(queue, HOURLY, by="ada")

    job = await run_schedule(queue, HOURLY, source=ME)

    status = await queue.status(job.job_id)
    assert (status.task, status.status) == ("recompute_all_discounts", JobStatus.QUEUED)
    assert (status.source.trigger, status.source.actor) == (RunTrigger.SCHEDULE_BY_HAND, "ada")


async def test_an_unknown_schedule_is_not_found(queue: TaskQueue):
    for call in (
        pause_schedule(queue, "weekly", by="ada"),
        resume_schedule(queue, "weekly"),
        run_schedule(queue, "weekly", source=ME),
    ):
        with pytest.raises(NotFound, match="there are recompute_all_discounts"):
            await call


async def test_schedules_say_when_they_tick_next(queue: TaskQueue):
    now = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)

    states = await list_schedules(queue, now=now)

    assert [state.next_tick_at for state in states] == [
        datetime(2024, 5, 1, 13, tzinfo=UTC),
        datetime(2024, 5, 2, 2, tzinfo=UTC),
        datetime(2024, 5, 1, 18, tzinfo=UTC),
    ]
    assert {state.last_tick_at for state in states} == {None}
