"""`arq workers.settings.WorkerSettings` as a plain command, by the real clock."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.catalog.sample import load_sample_catalog
from flexiprice.db.tables import Batch, Discount, PriceDecision, PriceSnapshot
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS, RECOMPUTE_BATCHES
from flexiprice.queue.status import JobInfo, JobStatus
from flexiprice.settings import Settings, load_settings

WAIT = timedelta(seconds=120)
LIST_SCHEDULES = """
from workers.settings import WorkerSettings
print(*(f"{job.name} {job.crontab}" for job in WorkerSettings.cron_jobs), sep="\\n")
"""

StartWorker = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, for the prices."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


@pytest.fixture
def start_worker(environment: dict[str, str], tmp_path: Path) -> Iterator[StartWorker]:
    """Starts the worker with settings of the test's choice; what still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(**overrides: str) -> subprocess.Popen[str]:
        chosen = {f"FLEXIPRICE_{name.upper()}": value for name, value in overrides.items()}
        worker = subprocess.Popen(
            [Path(sys.executable).with_name("arq"), "workers.settings.WorkerSettings"],
            cwd=tmp_path,
            env={**environment, **chosen},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.communicate(timeout=120)


@pytest.fixture
async def shop(engine: AsyncEngine) -> AsyncIterator[AsyncSession]:
    """The sample catalogue, for sale today."""
    async with AsyncSession(engine, expire_on_commit=False) as session:
        async with session.begin():
            await load_sample_catalog(session, today=datetime.now(tz=UTC).date())
        yield session


async def count(session: AsyncSession, table: type[object]) -> int:
    """The rows of a table, as they are now."""
    async with session.begin():
        return int(await session.scalar(select(func.count()).select_from(table)) or 0)


async def test_each_schedule_fires_by_itself_and_does_its_work(
    start_worker: StartWorker, queue: TaskQueue, shop: AsyncSession
):
    every_minute = "* * * * *"
    start_worker(
        recompute_schedule=every_minute,
        cleanup_schedule=every_minute,
        price_history_schedule=every_minute,
    )
    discounts_to_record = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
    await queue.wait(discounts_to_record.job_id, WAIT)
    # A worker that starts in the last second of a minute begins with the minute after the next.
    tick_at = (datetime.now(tz=UTC) + timedelta(seconds=63)).replace(second=0, microsecond=0)

    statuses = await asyncio.gather(
        *(
            _of_tick(queue, task, tick_at)
            for task in ("recompute_all_discounts", "cleanup_expired_discounts", "update_price_history")
        )
    )

    assert [status.status for status in statuses] == [JobStatus.SUCCEEDED] * 3
    for status in statuses:
        assert status.started_at is not None
        assert status.started_at >= tick_at
    recompute, cleanup, history = (status.result for status in statuses)
    assert isinstance(recompute, dict)
    assert isinstance(cleanup, dict)
    assert isinstance(history, dict)
    assert recompute["considered"] > 0
    assert cleanup["closed"] == 0
    assert history["slot_at"] <= tick_at < history["slot_at"] + timedelta(hours=6)
    assert await count(shop, PriceSnapshot) == history["recorded"] > 0


async def _of_tick(queue: TaskQueue, schedule: str, tick_at: datetime) -> JobInfo:
    job_id = f"{schedule}:{tick_at:%Y-%m-%dT%H:%M:%SZ}"
    await asyncio.sleep((tick_at - datetime.now(tz=UTC)).total_seconds())
    return await queue.wait(job_id, WAIT)


async def test_a_recompute_opens_discounts_and_a_second_one_changes_nothing(
    start_worker: StartWorker, queue: TaskQueue, shop: AsyncSession
):
    start_worker()

    first, second = [
        await queue.wait((await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)).job_id, WAIT) for _ in range(2)
    ]

    opened = await count(shop, Discount)
    assert isinstance(first.result, dict)
    assert isinstance(second.result, dict)
    assert 0 < first.result["opened"] == opened == await count(shop, PriceDecision)
    assert (second.result["opened"], second.result["changed"], second.result["closed"]) == (0, 0, 0)


async def test_chosen_batches_are_priced_at_once(
    start_worker: StartWorker, queue: TaskQueue, shop: AsyncSession
):
    async with shop.begin():
        batch_id = await shop.scalar(select(Batch.id).order_by(Batch.expiry_date, Batch.id).limit(1))
        await shop.execute(
            update(Batch)
            .where(Batch.id == batch_id)
            .values(expiry_date=datetime.now(tz=UTC).date(), quantity=500)
        )
    start_worker(worker_queues="discounts")

    job = await queue.enqueue(RECOMPUTE_BATCHES, arguments={"batch_ids": [batch_id]})
    status = await queue.wait(job.job_id, WAIT)

    assert isinstance(status.result, dict)
    assert (status.result["considered"], status.result["opened"]) == (1, 1)
    async with shop.begin():
        assert (await shop.scalars(select(Discount.batch_id))).all() == [batch_id]


async def test_log_lines_of_a_worker_are_json_and_name_the_job(
    start_worker: StartWorker, queue: TaskQueue, shop: AsyncSession
):
    worker = start_worker(log_format="json")
    job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
    await queue.wait(job.job_id, WAIT)
    worker.send_signal(signal.SIGTERM)
    _, said = await asyncio.to_thread(worker.communicate, timeout=120)

    assert worker.returncode == 0
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    of_the_job = [line for line in lines if line.get("job_id") == job.job_id]
    assert [line["message"] for line in of_the_job] == ["task_started", "task_succeeded"]
    assert {(line["task"], line["attempt"]) for line in of_the_job} == {("recompute_all_discounts", 1)}


@pytest.mark.parametrize(
    ("variables", "schedules"),
    [
        (
            {},
            [
                "cron:recompute_all_discounts 0 * * * *",
                "cron:cleanup_expired_discounts 0 2 * * *",
                "cron:update_price_history 0 */6 * * *",
            ],
        ),
        (
            {"FLEXIPRICE_WORKER_QUEUES": "maintenance", "FLEXIPRICE_CLEANUP_SCHEDULE": "30 3 * * 1"},
            ["cron:cleanup_expired_discounts 30 3 * * 1"],
        ),
    ],
)
def test_worker_settings_register_the_schedules_of_their_queues(
    environment: dict[str, str], variables: dict[str, str], schedules: list[str]
):
    shown = subprocess.run(
        [sys.executable, "-c", LIST_SCHEDULES],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=True,
    )

    assert shown.stdout.splitlines() == schedules


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FLEXIPRICE_REDIS_URL", ""),
        ("FLEXIPRICE_DATABASE_URL", ""),
        ("FLEXIPRICE_RECOMPUTE_SCHEDULE", "hourly"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_stops_the_start_by_its_name(
    variable: str, value: str, tmp_path: Path
):
    ended = subprocess.run(
        [sys.executable, "-m", "arq", "workers.settings.WorkerSettings"],
        cwd=tmp_path,
        env={
            **os.environ,
            "FLEXIPRICE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
            "FLEXIPRICE_REDIS_URL": "redis://127.0.0.1:1/0",
            variable: value,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"flexiprice: {variable}")
    assert "Traceback" not in ended.stderr
