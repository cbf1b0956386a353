"""Every run of a worker is in the history: while it runs, when it has ended, and when its worker is gone."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from arq.connections import ArqRedis
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.domain.run import RunStatus, RunTrigger
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.source import JobSource
from flexiprice.runs.query import RunDetails, RunFilter, list_attempts, list_runs
from flexiprice.settings import Settings, load_settings
from tests.workers.conftest import StartWorker, end_of, running, until, until_live
from tests.workers.toy_tasks import ADD, FAIL, FLAKY, HOLD, release

WAIT = timedelta(seconds=120)

Attempts = Callable[[str], Awaitable[list[RunDetails]]]


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, for its history."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


@pytest.fixture
async def attempts(engine: AsyncEngine) -> Attempts:
    """Reads what is recorded of a job, the first run first."""

    async def read(job_id: str) -> list[RunDetails]:
        async with AsyncSession(engine) as session:
            return list(reversed(await list_attempts(session, job_id)))

    return read


async def until_recorded(attempts: Attempts, job_id: str, *states: RunStatus) -> list[RunDetails]:
    """What is recorded of a job, once its runs stand so."""

    async def so() -> bool:
        return tuple(run.status for run in await attempts(job_id)) == states

    await until(so)
    return await attempts(job_id)


async def test_a_run_is_there_while_it_runs_and_complete_when_it_has_ended(
    settings: Settings, queue: TaskQueue, redis: ArqRedis, attempts: Attempts
) -> None:
    origin = JobSource(trigger=RunTrigger.API, request_id="req-7", parent_job_id="older", actor="a person")
    async with running(settings):
        job = await queue.enqueue(HOLD, arguments={"mark": 5}, origin=origin)
        (start,) = await until_recorded(attempts, job.job_id, RunStatus.RUNNING)
        assert start.finished_at is None
        held_for = datetime.now(tz=UTC) - start.started_at
        await release(redis, job.job_id)
        await queue.wait(job.job_id, WAIT)
        (run,) = await until_recorded(attempts, job.job_id, RunStatus.SUCCEEDED)
        (worker,) = await queue.live_workers()
    assert (run.task, run.queue, run.attempt, run.worker_id) == ("hold", "discounts", 1, worker.worker_id)
    assert (run.trigger, run.request_id, run.parent_job_id) == (RunTrigger.API, "req-7", "older")
    assert (run.arguments, run.result, run.error_code) == ({"mark": 5}, 1, None)
    assert run.run_id == start.run_id
    assert run.enqueued_at is not None
    assert run.enqueued_at <= run.started_at
    assert run.ran is not None
    assert run.ran >= held_for - timedelta(milliseconds=2)


async def test_each_try_of_a_job_is_a_run_of_its_own(
    settings: Settings, queue: TaskQueue, attempts: Attempts
) -> None:
    async with running(settings):
        job = await queue.enqueue(FLAKY, arguments={"until": 3})
        await queue.wait(job.job_id, WAIT)
    first, second, last = await attempts(job.job_id)
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
    settings: Settings, queue: TaskQueue, attempts: Attempts
) -> None:
    async with running(settings):
        job = await queue.enqueue(FAIL, arguments={"kind": "builtin"})
        await queue.wait(job.job_id, WAIT)
    (run,) = await attempts(job.job_id)
    assert (run.status, run.error_code) == (RunStatus.FAILED, "internal_error")
    assert run.traceback is not None
    assert "ValueError: secret at postgresql://***@host/db" in run.traceback
    assert "toy_tasks.py" in run.traceback
    assert "hunter2" not in repr(run)


async def test_what_ran_just_before_the_worker_ends_is_recorded(
    settings: Settings, queue: TaskQueue, engine: AsyncEngine
) -> None:
    async with running(settings):
        jobs = [await queue.enqueue(ADD, arguments={"left": number}) for number in range(40)]
        await queue.wait(jobs[-1].job_id, WAIT)
    async with AsyncSession(engine) as session:
        runs = await list_runs(session, RunFilter(task="add"))
    assert {run.job_id for run in runs} == {job.job_id for job in jobs}
    assert {run.status for run in runs} == {RunStatus.SUCCEEDED}


async def test_the_lines_of_a_run_in_the_log_join_it_to_the_request_that_wanted_it(
    start_worker: StartWorker, queue: TaskQueue
) -> None:
    worker = start_worker(log_format="json")
    await until_live(queue)
    job = await queue.enqueue(ADD, arguments={"left": 1}, origin=JobSource(request_id="req-9"))
    await queue.wait(job.job_id, WAIT)
    worker.terminate()
    _, said = await end_of(worker)
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    of_run = [line for line in lines if line.get("job_id") == job.job_id]
    assert [line["message"] for line in of_run] == ["task_started", "task_succeeded"]
    for line in of_run:
        assert (line["request_id"], line["task"], line["attempt"]) == ("req-9", "add", 1)
        assert line["worker"]
