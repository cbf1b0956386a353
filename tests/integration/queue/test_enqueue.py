"""Enqueueing: limits of queues and messages, sources, ids and expiries of jobs."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from arq.connections import ArqRedis

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import Conflict, InvalidInput, NotFound, QueueFull
from flexiprice.queue.client import MAX_PAYLOAD_BYTES, TaskQueue
from flexiprice.queue.declarations import MAX_BATCHES, RECOMPUTE_ALL_DISCOUNTS, RECOMPUTE_BATCHES, SCHEDULES
from flexiprice.queue.redis import keys
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobError, JobStatus
from flexiprice.settings import Queue, Settings
from tests.support.toy_tasks import (
    ADD,
    FAIL,
    HOLD,
    SLEEP,
    SLEEP_ELSEWHERE,
    release,
)
from tests.support.waiting import until
from tests.support.workers import running, until_running

WAIT = timedelta(seconds=120)
HOURLY = SCHEDULES[0].name


async def test_a_full_queue_takes_no_more_but_answers_repeats_and_takes_ticks(
    redis: ArqRedis, settings: Settings
):
    queue = TaskQueue(redis, settings.model_copy(update={"queue_limit": 2}))
    await queue.enqueue(SLEEP, job_id="one")
    await queue.enqueue(SLEEP, job_id="two")

    with pytest.raises(QueueFull):
        await queue.enqueue(SLEEP, job_id="three")
    with pytest.raises(NotFound):
        await queue.status("three")
    assert not (await queue.enqueue(SLEEP, job_id="one")).created
    assert (await queue.enqueue(SLEEP_ELSEWHERE)).created
    tick = await queue.enqueue_tick(
        RECOMPUTE_ALL_DISCOUNTS, arguments={}, schedule=HOURLY, tick_at=datetime.now(tz=UTC)
    )
    assert tick.created


async def test_a_job_that_is_too_large_is_refused_in_plain_words(queue: TaskQueue):
    await queue.enqueue(RECOMPUTE_BATCHES, arguments={"batch_ids": [2**62 + n for n in range(MAX_BATCHES)]})

    with pytest.raises(InvalidInput, match=f"at most {MAX_PAYLOAD_BYTES:,} are sent"):
        await queue.enqueue(FAIL, arguments={"kind": "x" * MAX_PAYLOAD_BYTES})


async def test_job_keeps_the_source_that_enqueued_it(queue: TaskQueue, settings: Settings):
    source = JobSource(trigger=RunTrigger.API, request_id="r-1", actor="api key")
    job = await queue.enqueue(ADD, arguments={"left": 1}, source=source)
    unsaid = await queue.enqueue(ADD, arguments={"left": 1})

    before = await queue.status(job.job_id)
    async with running(settings):
        after = await queue.wait(job.job_id, WAIT)

    assert before.source == after.source == source
    assert (await queue.status(unsaid.job_id)).source == JobSource(trigger=RunTrigger.PROGRAM)


async def test_a_job_that_is_not_started_in_time_expires(queue: TaskQueue, settings: Settings):
    job = await queue.enqueue(SLEEP, expires=timedelta(milliseconds=20))
    in_time = await queue.enqueue(SLEEP, expires=timedelta(hours=1))

    async def expired() -> bool:
        return (await queue.status(job.job_id)).ready

    await until(expired)

    before = await queue.status(job.job_id)
    async with running(settings):
        assert (await queue.wait(in_time.job_id, WAIT)).status is JobStatus.SUCCEEDED
    after = await queue.status(job.job_id)

    for status in (before, after):
        assert (status.status, status.ready, status.task) == (JobStatus.FAILED, True, "sleep")
        assert status.error == JobError("expired", "no worker started the job before it expired")
        assert (status.attempt, status.started_at) == (0, None)
    assert after.finished_at is not None


@pytest.mark.usefixtures("worker")
async def test_a_job_that_was_started_in_time_does_not_expire(queue: TaskQueue, redis: ArqRedis):
    job = await queue.enqueue(HOLD, expires=timedelta(hours=1))
    await until_running(queue, job.job_id)

    assert await redis.ttl(keys.job_key(job.job_id)) == -1
    await release(redis, job.job_id)
    assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED


async def test_without_an_expiry_a_job_waits_for_ever(queue: TaskQueue, redis: ArqRedis):
    job = await queue.enqueue(SLEEP)

    assert await redis.ttl(keys.job_key(job.job_id)) == -1


async def test_job_id_in_use_returns_the_job_that_uses_it(queue: TaskQueue, settings: Settings):
    first = await queue.enqueue(SLEEP, job_id="mine")
    waiting = await queue.enqueue(SLEEP, job_id="mine")
    async with running(settings):
        await queue.wait("mine", WAIT)
        done = await queue.enqueue(SLEEP, job_id="mine")

    assert [job.created for job in (first, waiting, done)] == [True, False, False]
    assert {job.job_id for job in (first, waiting, done)} == {"mine"}
    assert (await queue.status("mine")).attempt == 1


async def test_job_id_is_enqueued_once_however_many_use_it_at_once(queue: TaskQueue, redis: ArqRedis):
    jobs = await asyncio.gather(*(queue.enqueue(SLEEP, job_id="mine") for _ in range(20)))

    assert sum(job.created for job in jobs) == 1
    assert await redis.zcard(keys.queue_key(Queue.DISCOUNTS)) == 1


async def test_job_id_cannot_be_reused_for_other_work(queue: TaskQueue):
    await queue.enqueue(SLEEP, job_id="mine", arguments={"seconds": 1})

    with pytest.raises(Conflict):
        await queue.enqueue(SLEEP, job_id="mine", arguments={"seconds": 2})
    with pytest.raises(Conflict):
        await queue.enqueue(SLEEP_ELSEWHERE, job_id="mine", arguments={"seconds": 1})


async def test_job_id_is_free_again_when_its_result_has_expired(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    async with running(settings):
        await queue.enqueue(ADD, job_id="mine", arguments={"left": 1})
        await queue.wait("mine", WAIT)
        # All of its keys have expired now.
        kept = [key async for key in redis.scan_iter("*mine*")]
        assert kept
        for key in kept:
            assert 0 < await redis.ttl(key) <= settings.result_retention.total_seconds()
        await redis.delete(*kept)

        with pytest.raises(NotFound):
            await queue.status("mine")
        again = await queue.enqueue(ADD, job_id="mine", arguments={"left": 2})
        assert again.created
        assert (await queue.wait("mine", WAIT)).result == Decimal(3)


async def test_a_job_is_not_called_off_by_what_called_off_an_earlier_one_of_its_id(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    await redis.zadd(keys.ABORTED_JOBS, {"mine": 1})
    await queue.enqueue(SLEEP, job_id="mine")

    async with running(settings):
        assert (await queue.wait("mine", WAIT)).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"arguments": {"seconds": "many"}}, "seconds"),
        ({"job_id": ""}, "job_id"),
        ({"job_id": "x" * 201}, "job_id"),
        ({"job_id": "a\x00b"}, "job_id"),
        ({"defer_by": timedelta(seconds=-1)}, "defer_by"),
        ({"defer_by": timedelta(days=366)}, "defer_by"),
        ({"expires": timedelta(0)}, "expires"),
        ({"defer_by": timedelta(seconds=60), "expires": timedelta(seconds=30)}, "expires"),
    ],
)
async def test_bad_options_are_refused_by_name(queue: TaskQueue, options: dict[str, object], field: str):
    with pytest.raises(InvalidInput) as caught:
        await queue.enqueue(SLEEP, **options)
    assert caught.value.details["field"] == field
