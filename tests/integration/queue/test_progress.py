"""Progress of running jobs."""

from datetime import timedelta

from arq.connections import ArqRedis

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Settings
from tests.support.redis_commands import scripts_called
from tests.support.toy_tasks import (
    STEPS,
    release,
)
from tests.support.workers import running

WAIT = timedelta(seconds=120)


async def test_a_running_job_tells_how_far_it_has_come(queue: TaskQueue, redis: ArqRedis, settings: Settings):
    async with running(settings):
        job = await queue.enqueue(STEPS, arguments={"count": 4, "held": True})
        seen = []
        async for status in queue.follow(job.job_id):
            seen.append(status)
            if status.progress is not None:
                await release(redis, f"{job.job_id}/{status.progress.done}")

    reported = [status.progress for status in seen if status.progress is not None]
    assert [progress.total for progress in reported] == [4] * len(reported)
    assert [progress.done for progress in reported] == sorted(progress.done for progress in reported)
    assert {progress.done for progress in reported} == {1, 2, 3, 4}
    assert (reported[-1].done, reported[-1].message) == (4, "step 4")
    assert (seen[-1].status, seen[-1].ready) == (JobStatus.SUCCEEDED, True)


async def test_progress_that_is_reported_at_every_step_is_written_a_few_times(
    queue: TaskQueue, settings: Settings, redis: ArqRedis
):
    async with running(settings):
        before = await scripts_called(redis)
        job = await queue.enqueue(STEPS, arguments={"count": 20_000})
        status = await queue.wait(job.job_id, WAIT)
        after = await scripts_called(redis)

    assert status.progress is not None
    assert status.progress.done == 20_000
    assert after - before < 100
