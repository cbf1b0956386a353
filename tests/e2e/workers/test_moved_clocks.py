"""Workers on machines whose clocks are wrong: ticks and durations follow the servers' clocks."""

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

from arq.connections import ArqRedis
from arq.utils import to_unix_ms

from flexiprice.queue.admin.metrics_snapshot import take_snapshot
from flexiprice.queue.admin.schedules import list_schedules
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import SCHEDULES
from flexiprice.queue.redis import keys
from tests.support.moved_clock import moved_clock
from tests.support.toy_tasks import SLEEP
from tests.support.waiting import until
from tests.support.workers import StartWorker, end_of, until_live

WAIT = timedelta(seconds=30)
HOURLY = SCHEDULES[0].name
EVERY_MINUTE = "* * * * *"


async def test_duration_of_a_run_is_right_though_the_machines_clock_is_moved_meanwhile(
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
        "tests.support.scheduling_worker",
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
    # Without a worker that ticks it, a schedule is shown by the settings of the caller.
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


async def test_a_worker_publishes_the_schedules_that_it_ticks(start_worker: StartWorker, queue: TaskQueue):
    start_worker(
        "tests.support.scheduling_worker", recompute_schedule=EVERY_MINUTE, timezone="America/New_York"
    )
    await until_live(queue)

    (state, *_) = await list_schedules(queue)

    assert str(state.lines[0]) == "* * * * * America/New_York"
    assert state.is_published
    (worker,) = await queue.live_workers()
    assert [(each.name, each.task, each.queue) for each in worker.schedules] == [
        (each.name, each.task.name, each.task.queue) for each in SCHEDULES
    ]
