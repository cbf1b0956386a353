"""Retrying jobs that have ended."""

from datetime import timedelta
from decimal import Decimal

from arq.connections import ArqRedis

from flexiprice.domain.run import RunTrigger
from flexiprice.queue.admin.retry import retry_jobs
from flexiprice.queue.admin.revoke import revoke_jobs
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobError
from flexiprice.settings import Queue, Settings
from tests.support.toy_tasks import (
    ADD,
    FAIL,
    SLEEP,
)
from tests.support.waiting import until
from tests.support.workers import running

WAIT = timedelta(seconds=120)
ME = JobSource(trigger=RunTrigger.CLI, actor="ada")


async def test_a_retry_is_a_new_job_with_the_same_arguments_that_names_its_parent(
    queue: TaskQueue, settings: Settings
):
    async with running(settings):
        failed = await queue.enqueue(FAIL, arguments={"kind": "ours"})
        await queue.wait(failed.job_id, WAIT)

        (answer,) = await retry_jobs(queue, [failed.job_id], source=ME)
        assert answer.new_job_id is not None
        again = await queue.wait(answer.new_job_id, WAIT)

    assert again.error == JobError("not_found", "there is no such batch")
    assert again.source == JobSource(trigger=RunTrigger.RETRY, parent_job_id=failed.job_id, actor="ada")


async def test_revoked_or_expired_job_can_be_retried(queue: TaskQueue, settings: Settings):
    revoked = await queue.enqueue(ADD, arguments={"left": 1})
    await revoke_jobs(queue, [revoked.job_id])
    expired = await queue.enqueue(ADD, arguments={"left": 2}, expires=timedelta(milliseconds=1))

    async def has_expired() -> bool:
        return (await queue.status(expired.job_id)).ready

    await until(has_expired)
    answers = await retry_jobs(queue, [revoked.job_id, expired.job_id], source=ME)
    async with running(settings):
        # Now a worker has found it to be expired, and has written that down.
        await queue.wait(expired.job_id, WAIT)
        answers += await retry_jobs(queue, [expired.job_id], source=ME)
        results = [(await queue.wait(answer.new_job_id or "", WAIT)).result for answer in answers]

    assert results == [Decimal(2), Decimal(3), Decimal(3)]


async def test_unfinished_or_unknown_job_is_not_retried(queue: TaskQueue, redis: ArqRedis):
    job = await queue.enqueue(SLEEP)

    answers = await retry_jobs(queue, [job.job_id, "unknown"], source=ME)

    assert [answer.new_job_id for answer in answers] == [None, None]
    assert "queued" in answers[0].message
    assert "no such job" in answers[1].message
    assert await redis.zcard(keys.queue_key(Queue.DISCOUNTS)) == 1
