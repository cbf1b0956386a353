"""How the runs of workers ended that are gone is in the history all the same, told by others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from arq.connections import ArqRedis
from arq.utils import timestamp_ms
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from structlog.testing import capture_logs

from flexiprice.domain.run import RunStatus
from flexiprice.queue.admin.revoke import revoke_jobs
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.cancellation import cancelled
from flexiprice.queue.worker.heartbeat import deregister
from flexiprice.queue.worker.run_outbox import PendingRun
from flexiprice.runs.query import RunDetails, list_attempts
from flexiprice.runs.recording import record_runs
from flexiprice.runs.statistics import get_run_statistics
from flexiprice.settings import Queue, Settings, load_settings
from tests.integration.run_records import started
from tests.workers.conftest import StartWorker, end_of, running, until, until_running
from tests.workers.test_history_kept import Outage
from tests.workers.toy_tasks import ADD, FAIL, FLAKY, HOLD, SLEEP, release
from workers.runtime.recovery.heartbeat import WorkerIdMailbox
from workers.runtime.recovery.orphaned_runs import OrphanedRunRecorder

WAIT = timedelta(seconds=120)
GONE = "till-1:77:abcdef"


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, for its history."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


async def attempts(engine: AsyncEngine, job_id: str) -> list[RunDetails]:
    """What is recorded of a job, the first run first."""
    async with AsyncSession(engine) as session:
        return list(reversed(await list_attempts(session, job_id)))


async def until_recorded(engine: AsyncEngine, job_id: str, *states: RunStatus) -> list[RunDetails]:
    async def so() -> bool:
        return [run.status for run in await attempts(engine, job_id)] == list(states)

    await until(so)
    return await attempts(engine, job_id)


@asynccontextmanager
async def history_locked(engine: AsyncEngine) -> AsyncIterator[None]:
    """Nothing can be written into the history meanwhile, and whatever is tried waits."""
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE task_runs IN ACCESS EXCLUSIVE MODE"))
        yield


async def test_a_worker_that_is_killed_before_it_wrote_how_its_runs_ended_is_spoken_for(
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


async def test_a_run_of_a_worker_of_whom_nobody_knows_anything_is_lost(
    settings: Settings, engine: AsyncEngine
) -> None:
    orphan = started()
    async with AsyncSession(engine) as session, session.begin():
        await record_runs(session, [orphan])
    async with running(settings):
        (run,) = await until_recorded(engine, orphan.job_id, RunStatus.LOST)
    assert run.error_code == "worker_lost"


async def test_jobs_that_never_start_are_in_the_history_and_among_the_failures(
    settings: Settings, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
) -> None:
    expired = await queue.enqueue(SLEEP, expires=timedelta(milliseconds=1))
    revoked = await queue.enqueue(SLEEP, arguments={"seconds": 7})
    await revoke_jobs(queue, [revoked.job_id])
    unknown = await redis.enqueue_job("of_tomorrow", _queue_name=keys.queue_key(SLEEP.queue))
    assert unknown is not None
    await redis.set(keys.job_key("garbled"), b"rubbish")
    await redis.zadd(keys.queue_key(SLEEP.queue), {"garbled": 1})

    async with running(settings.model_copy(update={"unknown_task_patience": timedelta(0)})):
        (of_expired,) = await until_recorded(engine, expired.job_id, RunStatus.FAILED)
        (of_revoked,) = await until_recorded(engine, revoked.job_id, RunStatus.REVOKED)
        (of_unknown,) = await until_recorded(engine, unknown.job_id, RunStatus.FAILED)
        (of_garbled,) = await until_recorded(engine, "garbled", RunStatus.FAILED)

    runs = (of_expired, of_revoked, of_unknown, of_garbled)
    assert [run.attempt for run in runs] == [0, 0, 0, 0]
    assert [run.error_code for run in runs] == ["expired", "revoked", "unknown_task", "corrupt_message"]
    assert (of_revoked.worker_id, of_revoked.arguments) == ("", {"seconds": 7.0})
    now = datetime.now(UTC)
    async with AsyncSession(engine) as session:
        of_task = {
            figures.task: figures
            for figures in await get_run_statistics(
                session, since=now - timedelta(hours=1), until=now + timedelta(minutes=1)
            )
        }
    assert of_task["sleep"].by_status[RunStatus.FAILED] == 1
    assert of_task["of_tomorrow"].failure_rate == 1
    assert (of_task["sleep"].wait, of_task["sleep"].duration) == (None, None)


async def test_what_cannot_be_told_while_postgresql_is_away_is_told_when_it_is_back(
    redis: ArqRedis, engine: AsyncEngine
) -> None:
    outage, tidings, job_id = Outage(engine), WorkerIdMailbox(), uuid4().hex
    now = timestamp_ms()
    run = PendingRun(
        run_id=uuid4(),
        task="add",
        job_id=job_id,
        queue=Queue.DISCOUNTS,
        attempt=1,
        state=RunStatus.SUCCEEDED,
        enqueued_ms=now,
        due_ms=now,
        started_ms=now,
        finished_ms=now + 5,
    )
    await redis.hset(keys.run_outbox_key(GONE), mapping={str(run.run_id): run.to_bytes(), "x": b"rubbish"})
    await deregister(redis, GONE)
    assert await redis.zrange(keys.RUN_OUTBOX_WORKERS, 0, -1) == [GONE.encode()]
    words = OrphanedRunRecorder(
        redis, outage.sessions, tidings, worker_id="another", clock=lambda: datetime.now(UTC)
    )
    with capture_logs() as logs:
        telling = asyncio.create_task(words.main())
        tidings.put([GONE])

        async def put_off() -> bool:
            return any(line["event"] == "orphaned_runs_postponed" for line in logs)

        await until(put_off)
    assert await redis.hlen(keys.run_outbox_key(GONE)) == 2
    outage.end()

    async def told() -> bool:
        tidings.put([GONE])
        return not await redis.exists(keys.run_outbox_key(GONE), keys.RUN_OUTBOX_WORKERS)

    await until(told)
    await cancelled(telling)
    (recorded,) = await attempts(engine, job_id)
    assert (recorded.status, recorded.worker_id) == (RunStatus.SUCCEEDED, GONE)
