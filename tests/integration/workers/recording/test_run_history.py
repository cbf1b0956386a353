"""Every run of a worker is in the history, from its start to its end."""

from datetime import UTC, datetime, timedelta

import pytest
from arq.connections import ArqRedis
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.source import JobSource
from flexiprice.runs.query import RunFilter, list_runs
from flexiprice.settings import Settings, load_settings
from tests.support.run_history import attempts, until_recorded
from tests.support.toy_tasks import ADD, FAIL, FLAKY, HOLD, release
from tests.support.waiting import until
from tests.support.workers import running

WAIT = timedelta(seconds=120)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, for its history."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


async def test_run_is_recorded_at_its_start_and_completed_at_its_end(
    settings: Settings, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
) -> None:
    source = JobSource(trigger=RunTrigger.API, request_id="req-7", parent_job_id="older", actor="a person")
    async with running(settings):
        job = await queue.enqueue(HOLD, arguments={"mark": 5}, source=source)
        (start,) = await until_recorded(engine, job.job_id, RunStatus.RUNNING)
        assert start.finished_at is None

        async def a_second_has_passed() -> bool:
            seconds, microseconds = await redis.time()
            now = datetime.fromtimestamp(seconds, tz=UTC) + timedelta(microseconds=microseconds)
            return now - start.started_at > timedelta(seconds=1)

        await until(a_second_has_passed)
        await release(redis, job.job_id)
        await queue.wait(job.job_id, WAIT)
        (run,) = await until_recorded(engine, job.job_id, RunStatus.SUCCEEDED)
        (worker,) = await queue.live_workers()
    assert (run.task, run.queue, run.attempt, run.worker_id) == ("hold", "discounts", 1, worker.worker_id)
    assert (run.trigger, run.request_id, run.parent_job_id) == (RunTrigger.API, "req-7", "older")
    assert (run.arguments, run.result, run.error_code) == ({"mark": 5}, 1, None)
    assert run.run_id == start.run_id
    assert run.enqueued_at is not None
    assert run.enqueued_at <= run.started_at
    assert run.ran is not None
    # A worker estimates Redis's clock; half a second is far more than it errs by.
    assert run.ran > timedelta(seconds=0.5)


async def test_each_try_of_a_job_is_a_run_of_its_own(
    settings: Settings, queue: TaskQueue, engine: AsyncEngine
) -> None:
    async with running(settings):
        job = await queue.enqueue(FLAKY, arguments={"until": 3})
        await queue.wait(job.job_id, WAIT)
    first, second, last = await attempts(engine, job.job_id)
    assert [run.status for run in (first, second, last)] == [
        RunStatus.RETRYING,
        RunStatus.RETRYING,
        RunStatus.SUCCEEDED,
    ]
    assert [run.attempt for run in (first, second, last)] == [1, 2, 3]
    assert (first.error_code, first.error_message) == ("database_unavailable", "not yet")
    assert second.due_at is not None
    assert second.due_at > first.started_at


async def test_a_failure_is_recorded_with_its_traceback_and_without_secrets(
    settings: Settings, queue: TaskQueue, engine: AsyncEngine
) -> None:
    async with running(settings):
        job = await queue.enqueue(FAIL, arguments={"kind": "builtin"})
        await queue.wait(job.job_id, WAIT)
    (run,) = await attempts(engine, job.job_id)
    assert (run.status, run.error_code) == (RunStatus.FAILED, "internal_error")
    assert run.traceback is not None
    assert "ValueError: secret at postgresql://***@host/db" in run.traceback
    assert "toy_tasks.py" in run.traceback
    assert "hunter2" not in repr(run)


async def test_runs_that_end_just_before_the_worker_stops_are_recorded(
    settings: Settings, queue: TaskQueue, engine: AsyncEngine
) -> None:
    async with running(settings):
        jobs = [await queue.enqueue(ADD, arguments={"left": number}) for number in range(40)]
        await queue.wait(jobs[-1].job_id, WAIT)
    async with AsyncSession(engine) as session:
        runs = await list_runs(session, RunFilter(task="add"))
    assert {run.job_id for run in runs} == {job.job_id for job in jobs}
    assert {run.status for run in runs} == {RunStatus.SUCCEEDED}
