"""Workers on machines whose clocks are wrong: ticks, durations and what is told follow the servers."""

import json
import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from arq.utils import to_unix_ms

from flexiprice.errors import InvalidInput, NotFound
from flexiprice.queue.admin.metrics_snapshot import take_snapshot
from flexiprice.queue.admin.schedules import list_schedules, pause_schedule, resume_schedule, run_schedule
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS, SCHEDULES
from flexiprice.queue.redis import keys
from flexiprice.queue.schedule_state import ScheduleLine
from flexiprice.queue.source import JobSource
from flexiprice.queue.worker.heartbeat import LiveWorker, PublishedSchedule, send_heartbeat
from flexiprice.settings import Queue, Settings
from tests.support.moved_clock import moved_clock
from tests.workers.conftest import StartWorker, end_of, until, until_live
from tests.workers.toy_tasks import SLEEP

WAIT = timedelta(seconds=30)
HOURLY = SCHEDULES[0].name
EVERY_MINUTE = "* * * * *"


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


async def test_runs_take_as_long_as_they_take_when_the_machines_clock_is_moved_while_they_run(
    start_worker: StartWorker, queue: TaskQueue, tmp_path: Path
):
    clock = moved_clock(tmp_path, -180)
    start_worker(environment=clock.environment)
    started = datetime.now(UTC)
    job = await queue.enqueue(SLEEP, arguments={"seconds": 3.0})

    async def runs() -> bool:
        return (await queue.status(job.job_id)).started_at is not None

    await until(runs)
    clock.move(180)
    status = await queue.wait(job.job_id, WAIT)

    assert status.started_at is not None
    assert status.finished_at is not None
    took = status.finished_at - status.started_at
    assert timedelta(seconds=2.9) <= took <= datetime.now(UTC) - started


async def test_a_worker_whose_clock_is_a_day_ahead_schedules_nothing_until_it_is_mended(
    start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis, tmp_path: Path
):
    clock = moved_clock(tmp_path, 86_400)
    program = start_worker(
        "tests.workers.scheduling_worker",
        environment=clock.environment,
        log_format="json",
        recompute_schedule=EVERY_MINUTE,
    )
    await until_live(queue)
    (worker,) = await queue.live_workers()
    job = await queue.enqueue(SLEEP)
    assert (await queue.wait(job.job_id, WAIT)).ready
    assert abs(worker.seen_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert worker.refuses_schedules
    assert worker.clock_drift_seconds > 86_000
    # Of what nobody ticks, the settings of whoever asks are told.
    (state, *_) = await list_schedules(queue)
    assert not state.is_published
    assert (await take_snapshot(queue)).clock_drift > timedelta(hours=23)
    last_tick = await redis.hget(keys.schedule_key(HOURLY), "last_tick")
    assert last_tick is None
    # It has missed a tick by the time that its clock is mended.
    await redis.hset(keys.schedule_key(HOURLY), "since", str(to_unix_ms(datetime.now(UTC)) - 120_000))

    clock.move(0)

    async def ticked() -> bool:
        return await redis.hget(keys.schedule_key(HOURLY), "last_tick") is not None

    await until(ticked)
    program.send_signal(signal.SIGTERM)
    code, said = await end_of(program)
    assert code == 0
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    (refused,) = [line for line in lines if line["message"] == "schedules_refused"]
    assert refused["clock"] == "24 h ahead of that of Redis"
    assert "NTP" in refused["advice"]
    assert [line["message"] for line in lines].count("schedules_resumed") == 1


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


NIGHTLY = PublishedSchedule(
    name="count_stock", crontab="30 4 * * *", time_zone="UTC", task="count", queue=Queue.ANALYTICS
)


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
        await run_schedule(queue, "count_stock", origin=JobSource())
    with pytest.raises(NotFound, match="update_price_history, count_stock"):
        await pause_schedule(queue, "weekly", by="ada")


async def test_a_schedule_is_left_out_where_its_workers_do_not_say_what_it_runs_or_tick_nothing(
    queue: TaskQueue, redis: ArqRedis
):
    of_an_older_version = replace(NIGHTLY, name="count_waste", task=None, queue=None)
    await send_heartbeat(redis, a_worker("old", (of_an_older_version,)), joining=True)
    a_day_ahead = replace(a_worker("two", (NIGHTLY,)), clock_drift_seconds=86_400.0)
    await send_heartbeat(redis, a_day_ahead, joining=True)

    assert len(await list_schedules(queue)) == len(SCHEDULES)


async def test_a_worker_publishes_the_schedules_that_it_ticks(start_worker: StartWorker, queue: TaskQueue):
    start_worker(
        "tests.workers.scheduling_worker", recompute_schedule=EVERY_MINUTE, timezone="America/New_York"
    )
    await until_live(queue)

    (state, *_) = await list_schedules(queue)

    assert str(state.lines[0]) == "* * * * * America/New_York"
    assert state.is_published
    (worker,) = await queue.live_workers()
    assert [(each.name, each.task, each.queue) for each in worker.schedules] == [
        (each.name, each.task.name, each.task.queue) for each in SCHEDULES
    ]
