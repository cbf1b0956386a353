"""Jobs of unknown tasks and unreadable jobs: left for other workers, failed, or moved to the dead letters."""

from datetime import timedelta

from arq.connections import ArqRedis

from flexiprice.cli.doctor.checks import check_redis
from flexiprice.queue.admin.inspect import list_undeclared
from flexiprice.queue.admin.queues import list_queues
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.status import JobError, JobStatus
from flexiprice.settings import Settings
from tests.support.toy_tasks import SLEEP
from tests.support.workers import running

WAIT = timedelta(seconds=120)


async def test_a_job_of_an_unknown_task_is_left_for_a_worker_that_knows_it(
    settings: Settings, queue: TaskQueue, redis: ArqRedis
):
    patient = settings.model_copy(update={"unknown_task_timeout": timedelta(hours=1)})
    job = await queue.enqueue(SLEEP)
    await redis.hset(keys.record_key(job.job_id), "task", "of_tomorrow")
    async with running(patient):
        other = await queue.enqueue(SLEEP)
        assert (await queue.wait(other.job_id, WAIT)).status is JobStatus.SUCCEEDED
        left = await queue.status(job.job_id)
        workers, queues = await queue.live_workers(), await list_queues(queue)
        (undeclared,) = await list_undeclared(queue, workers, queues)
        told = [each.detail for each in await check_redis(patient) if "declares" in each.detail]
        await redis.hset(keys.record_key(job.job_id), "task", "sleep")
        assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED

    assert left.status is JobStatus.QUEUED
    assert (undeclared.task, undeclared.waiting, undeclared.since) == ("of_tomorrow", 1, left.enqueued_at)
    assert [line.partition(" in ")[0] for line in told] == ["no worker declares of_tomorrow: 1 job waits"]


async def test_job_of_an_unknown_task_fails_after_the_patience(
    settings: Settings, queue: TaskQueue, redis: ArqRedis
):
    patient = settings.model_copy(update={"unknown_task_timeout": timedelta(milliseconds=300)})
    unknown = await redis.enqueue_job("of_tomorrow", _queue_name=keys.queue_key(SLEEP.queue))
    assert unknown is not None
    async with running(patient):
        status = await queue.wait(unknown.job_id, WAIT)

    assert status.finished_at is not None
    assert status.enqueued_at is not None
    assert status.finished_at - status.enqueued_at > timedelta(milliseconds=300)
    assert status.error == JobError("unknown_task", "function 'of_tomorrow' not found")


async def test_unreadable_job_becomes_a_dead_letter_and_the_queue_continues(
    settings: Settings, queue: TaskQueue, redis: ArqRedis
):
    await redis.set(keys.job_key("garbled"), b"rubbish")
    await redis.zadd(keys.queue_key(SLEEP.queue), {"garbled": 1})
    async with running(settings):
        garbled = await queue.wait("garbled", WAIT)
        job = await queue.enqueue(SLEEP)
        assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED

    assert garbled.error is not None
    assert garbled.error.code == "corrupt_message"
    assert await redis.hgetall(keys.QUARANTINE) == {b"garbled": b"rubbish"}
