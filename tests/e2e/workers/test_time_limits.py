"""A worker process keeps the time limits of the settings: first the soft limit, then the hard one."""

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.domain.run import RunStatus
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Settings, load_settings
from tests.support.run_history import until_recorded
from tests.support.toy_tasks import HOLD, SLEEP, STUBBORN
from tests.support.workers import StartWorker

WAIT = timedelta(seconds=120)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, for its history."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


async def test_job_meets_soft_limit_then_time_limit_and_the_next_job_runs(
    start_worker: StartWorker, queue: TaskQueue, engine: AsyncEngine
) -> None:
    # Far enough apart for a busy machine to notice the one before the other.
    start_worker(soft_time_limit="1", time_limit="6")
    tidy = await queue.enqueue(HOLD)
    stubborn = await queue.enqueue(STUBBORN)

    ends = [await queue.wait(job.job_id, WAIT) for job in (tidy, stubborn)]
    after = await queue.enqueue(SLEEP)

    assert [end.error and end.error.code for end in ends] == ["soft_time_limit", "timeout"]
    assert (await queue.wait(after.job_id, WAIT)).status is JobStatus.SUCCEEDED
    (told,) = await until_recorded(engine, tidy.job_id, RunStatus.FAILED)
    (ended,) = await until_recorded(engine, stubborn.job_id, RunStatus.FAILED)
    assert (told.error_code, ended.error_code) == ("soft_time_limit", "timeout")
    assert told.ran is not None
    assert ended.ran is not None
    assert told.ran >= timedelta(seconds=1)
    assert ended.ran >= timedelta(seconds=6)
    assert told.ran < ended.ran
    assert told.traceback is not None
