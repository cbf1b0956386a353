"""Runs of a killed worker's process, recorded by the next worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from arq.connections import ArqRedis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.domain.run import RunStatus
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.settings import Settings, load_settings
from tests.support.run_history import attempts, until_recorded
from tests.support.toy_tasks import ADD, FAIL, FLAKY, HOLD, release
from tests.support.waiting import until
from tests.support.workers import StartWorker, end_of, until_running

WAIT = timedelta(seconds=120)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, for its history."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


@asynccontextmanager
async def history_locked(engine: AsyncEngine) -> AsyncIterator[None]:
    """Locks the history: writes wait while the context is open."""
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE task_runs IN ACCESS EXCLUSIVE MODE"))
        yield


async def test_runs_that_a_killed_worker_did_not_record_are_recorded_by_the_next(
    start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
) -> None:
    async with history_locked(engine):
        killed = start_worker()
        summed = await queue.enqueue(ADD, arguments={"left": 1})
        failing = await queue.enqueue(FAIL, arguments={"kind": "builtin"})
        flaky = await queue.enqueue(FLAKY, arguments={"until": 2})
        for job in (summed, failing, flaky):
            assert (await queue.wait(job.job_id, WAIT)).ready
        running_still = await queue.enqueue(HOLD, arguments={"mark": 7})
        await until_running(queue, running_still.job_id)
        (dead,) = await queue.live_workers()
        killed.kill()
        await end_of(killed)
    assert await attempts(engine, summed.job_id) == []

    start_worker()
    await release(redis, running_still.job_id)

    (run,) = await until_recorded(engine, summed.job_id, RunStatus.SUCCEEDED)
    status = await queue.status(summed.job_id)
    assert (run.task, run.arguments, run.result) == ("add", {"left": "1", "right": "1"}, "2")
    assert (run.worker_id, run.attempt) == (dead.worker_id, 1)
    assert run.started_at == status.started_at
    (failed,) = await until_recorded(engine, failing.job_id, RunStatus.FAILED)
    assert failed.error_code == "internal_error"
    assert failed.traceback is not None
    assert "ValueError: secret at postgresql://***@host/db" in failed.traceback
    first, second = await until_recorded(engine, flaky.job_id, RunStatus.RETRYING, RunStatus.SUCCEEDED)
    assert (first.attempt, first.error_code, second.attempt) == (1, "database_unavailable", 2)
    lost, done = await until_recorded(engine, running_still.job_id, RunStatus.LOST, RunStatus.SUCCEEDED)
    assert (lost.error_code, lost.traceback, lost.worker_id) == ("worker_lost", None, run.worker_id)
    assert done.worker_id != lost.worker_id
    assert (lost.attempt, done.attempt) == (1, 1)
    assert lost.arguments == done.arguments == {"mark": 7}

    async def nothing_is_left() -> bool:
        return not await redis.exists(keys.run_outbox_key(run.worker_id), keys.RUN_OUTBOX_WORKERS)

    await until(nothing_is_left)
