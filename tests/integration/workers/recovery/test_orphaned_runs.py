"""Orphaned runs of dead workers, and jobs that never start, are recorded by living workers."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from arq.connections import ArqRedis
from arq.utils import timestamp_ms
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from structlog.testing import capture_logs

from flexiprice.domain.run import RunStatus
from flexiprice.queue.admin.revoke import revoke_jobs
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.worker.heartbeat import deregister
from flexiprice.queue.worker.run_outbox import PendingRun
from flexiprice.runs.recording import record_runs
from flexiprice.runs.statistics import get_run_statistics
from flexiprice.settings import Queue, Settings, load_settings
from tests.support.run_history import Outage, attempts, until_recorded
from tests.support.run_records import started
from tests.support.toy_tasks import SLEEP
from tests.support.waiting import until
from tests.support.workers import running
from workers.runtime.recovery.heartbeat import WorkerIdMailbox
from workers.runtime.recovery.orphaned_runs import OrphanedRunRecorder

DEAD_WORKER = "till-1:77:abcdef"


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, for its history."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


async def test_run_of_an_unknown_worker_is_recorded_as_lost(settings: Settings, engine: AsyncEngine) -> None:
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

    async with running(settings.model_copy(update={"unknown_task_timeout": timedelta(0)})):
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


async def test_orphaned_runs_are_recorded_when_postgresql_is_back(
    redis: ArqRedis, engine: AsyncEngine
) -> None:
    outage, mailbox, job_id = Outage(engine), WorkerIdMailbox(), uuid4().hex
    now = timestamp_ms()
    run = PendingRun(
        run_id=uuid4(),
        task="add",
        job_id=job_id,
        queue=Queue.DISCOUNTS,
        attempt=1,
        status=RunStatus.SUCCEEDED,
        enqueued_ms=now,
        due_ms=now,
        started_ms=now,
        finished_ms=now + 5,
    )
    await redis.hset(
        keys.run_outbox_key(DEAD_WORKER), mapping={str(run.run_id): run.to_bytes(), "x": b"rubbish"}
    )
    await deregister(redis, DEAD_WORKER)
    assert await redis.zrange(keys.RUN_OUTBOX_WORKERS, 0, -1) == [DEAD_WORKER.encode()]
    words = OrphanedRunRecorder(
        redis, outage.sessions, mailbox, worker_id="another", clock=lambda: datetime.now(UTC)
    )
    with capture_logs() as logs:
        telling = asyncio.create_task(words.main())
        mailbox.put([DEAD_WORKER])

        async def put_off() -> bool:
            return any(line["event"] == "orphaned_runs_postponed" for line in logs)

        await until(put_off)
    assert await redis.hlen(keys.run_outbox_key(DEAD_WORKER)) == 2
    outage.end()

    async def told() -> bool:
        mailbox.put([DEAD_WORKER])
        return not await redis.exists(keys.run_outbox_key(DEAD_WORKER), keys.RUN_OUTBOX_WORKERS)

    await until(told)
    await cancel_and_wait(telling)
    (recorded,) = await attempts(engine, job_id)
    assert (recorded.status, recorded.worker_id) == (RunStatus.SUCCEEDED, DEAD_WORKER)
