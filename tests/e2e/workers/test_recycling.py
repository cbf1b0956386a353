"""`flexiprice worker` replaces its worker after `worker_max_tasks` jobs and loses no job."""

import json
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.domain.run import RunStatus
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS, RECOMPUTE_BATCHES
from flexiprice.queue.status import JobStatus
from flexiprice.runs.query import Run, list_runs
from flexiprice.settings import Settings, load_settings
from tests.support.processes import flexiprice, start
from tests.support.waiting import until


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, whose history has its runs only."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


async def test_recycled_workers_share_the_jobs_one_after_another(
    queue: TaskQueue, engine: AsyncEngine, environment: dict[str, str], tmp_path: Path
) -> None:
    jobs = [await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)]
    jobs += [await queue.enqueue(RECOMPUTE_BATCHES, arguments={"batch_ids": [1]}) for _ in range(3)]
    share = {
        "FLEXIPRICE_WORKER_MAX_TASKS": "2",
        "FLEXIPRICE_WORKER_CONCURRENCY": "1",
        "FLEXIPRICE_LOG_FORMAT": "json",
    }
    supervisor = start(flexiprice("worker", "--concurrency", "1"), tmp_path, {**environment, **share})
    try:
        for job in jobs:
            assert (await queue.wait(job.job_id, timedelta(seconds=120))).status is JobStatus.SUCCEEDED
        runs: tuple[Run, ...] = ()

        async def recorded() -> bool:
            nonlocal runs
            async with AsyncSession(engine) as session:
                runs = await list_runs(session)
            return [run.status for run in runs] == [RunStatus.SUCCEEDED] * 4

        await until(recorded)

        async def another_lives() -> bool:
            return {worker.worker_id for worker in await queue.live_workers()} - used != set()

        used = {run.worker_id for run in runs}
        await until(another_lives)
    finally:
        supervisor.send_signal(signal.SIGTERM)
        said, _ = supervisor.communicate(timeout=120)

    assert supervisor.returncode == 0, said
    assert sorted(sum(run.worker_id == worker for run in runs) for worker in used) == [2, 2]
    # All of them, from the first on.
    lines = [json.loads(line) for line in said.splitlines()]
    assert sum(line["message"] == "worker_started" for line in lines) == 3
    progress = (await queue.status(jobs[0].job_id)).progress
    assert progress is not None
    assert (progress.done, progress.total) == (2, 2)
