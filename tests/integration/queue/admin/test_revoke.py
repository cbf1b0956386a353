"""Revoking jobs: waiting, running, ended and unknown ones."""

import asyncio
from datetime import timedelta
from decimal import Decimal

from arq.connections import ArqRedis

from flexiprice.queue.admin.inspect import list_active
from flexiprice.queue.admin.revoke import RevokeOutcome, revoke_jobs
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.status import JobError, JobStatus
from flexiprice.settings import Settings
from tests.support.toy_tasks import (
    ADD,
    SLEEP,
    STUBBORN,
    release,
)
from tests.support.workers import running, until_running

WAIT = timedelta(seconds=120)


async def test_a_waiting_job_that_is_revoked_never_runs(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    job = await queue.enqueue(SLEEP)
    deferred = await queue.enqueue(SLEEP, defer_by=timedelta(seconds=60))

    answers = await revoke_jobs(queue, [job.job_id, deferred.job_id])

    assert [answer.outcome for answer in answers] == [RevokeOutcome.PREVENTED] * 2
    async with running(settings):
        other = await queue.enqueue(ADD, arguments={"left": 1})
        await queue.wait(other.job_id, WAIT)
    for status in await queue.statuses([job.job_id, deferred.job_id]):
        assert (status.status, status.ready, status.task) == (JobStatus.REVOKED, True, "sleep")
        assert status.error == JobError("revoked", "the job was revoked before it started")
        assert (status.attempt, status.started_at) == (0, None)
    assert await redis.zcard(keys.ABORTED_JOBS) == 0


async def test_waiting_client_learns_that_its_job_was_revoked(queue: TaskQueue):
    job = await queue.enqueue(SLEEP)
    waiting = asyncio.create_task(queue.wait(job.job_id, WAIT))
    await asyncio.sleep(0)

    await revoke_jobs(queue, [job.job_id])

    assert (await waiting).status is JobStatus.REVOKED


async def test_a_running_job_that_is_revoked_has_stopped_when_the_answer_comes(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    async with running(settings):
        job = await queue.enqueue(SLEEP, arguments={"seconds": 60})
        await until_running(queue, job.job_id)

        (answer,) = await revoke_jobs(queue, [job.job_id])

        assert (answer.outcome, answer.status) == (RevokeOutcome.CANCELLED, JobStatus.REVOKED)
        assert await list_active(queue) == ()
    assert await redis.zcard(keys.ABORTED_JOBS) == 0


async def test_a_job_that_does_not_stop_is_not_said_to_have_stopped(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    async with running(settings):
        job = await queue.enqueue(STUBBORN)
        await until_running(queue, job.job_id)

        (early,) = await revoke_jobs(queue, [job.job_id], timeout=timedelta(seconds=0.3))
        await release(redis, job.job_id)
        await queue.wait(job.job_id, WAIT)
        (late,) = await revoke_jobs(queue, [job.job_id])

    assert early.outcome is RevokeOutcome.ASKED
    assert "not confirmed" in early.message
    assert late.outcome is RevokeOutcome.ENDED


async def test_revoking_what_has_ended_or_never_was_says_so_and_harms_nothing_later(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    async with running(settings):
        job = await queue.enqueue(ADD, arguments={"left": 1})
        await queue.wait(job.job_id, WAIT)

        answers = await revoke_jobs(queue, [job.job_id, "to-come", "x" * 500, job.job_id])
        later = await queue.enqueue(ADD, job_id="to-come", arguments={"left": 1})

        assert (await queue.wait(later.job_id, WAIT)).status is JobStatus.SUCCEEDED
    assert [answer.outcome for answer in answers] == [
        RevokeOutcome.ENDED,
        RevokeOutcome.UNKNOWN,
        RevokeOutcome.UNKNOWN,
    ]
    assert (await queue.status(job.job_id)).result == Decimal(2)
    assert await redis.zcard(keys.ABORTED_JOBS) == 0


async def test_a_revoked_id_can_be_used_again_when_its_result_is_gone(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    async with running(settings):
        job = await queue.enqueue(SLEEP, job_id="mine", arguments={"seconds": 60})
        await until_running(queue, job.job_id)
        await revoke_jobs(queue, ["mine"])
        await redis.delete(keys.result_key("mine"))

        await queue.enqueue(SLEEP, job_id="mine")

        assert (await queue.wait("mine", WAIT)).status is JobStatus.SUCCEEDED
