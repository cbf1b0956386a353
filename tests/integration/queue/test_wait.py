"""Waiting for jobs: notified, bounded, and told from an outage."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from arq.connections import ArqRedis

from flexiprice.errors import NotFound, RedisUnavailable
from flexiprice.queue import client
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.connection import create_redis
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Settings
from tests.support.toy_tasks import (
    ADD,
    HOLD,
    SLEEP,
    release,
)
from tests.support.workers import until_running

WAIT = timedelta(seconds=120)


@pytest.mark.parametrize("job_id", ["never-was", "", "x" * 5_000, "a\x00b", "*"])
async def test_an_unknown_job_is_not_found(queue: TaskQueue, job_id: str):
    with pytest.raises(NotFound):
        await queue.status(job_id)
    with pytest.raises(NotFound):
        await queue.wait(job_id, timedelta(seconds=1))


@pytest.mark.usefixtures("worker")
async def test_waiting_client_is_notified_at_once(
    queue: TaskQueue, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
):
    # Nothing polls: only a notification comes within the test's time.
    monkeypatch.setattr(client, "_POLL_SECONDS", 3600)
    job = await queue.enqueue(HOLD)
    waits = [asyncio.create_task(queue.wait(job.job_id, timedelta(hours=1))) for _ in range(20)]
    await until_running(queue, job.job_id)
    await release(redis, job.job_id)

    async with asyncio.timeout(WAIT.total_seconds()):
        statuses = await asyncio.gather(*waits)

    assert {status.status for status in statuses} == {JobStatus.SUCCEEDED}


@pytest.mark.usefixtures("worker")
async def test_successive_waits_are_each_notified(queue: TaskQueue):
    for number in range(20):
        job = await queue.enqueue(ADD, arguments={"left": number})
        assert (await queue.wait(job.job_id, WAIT)).result == Decimal(number + 1)


async def test_waiting_ends_with_the_time_given(queue: TaskQueue):
    job = await queue.enqueue(SLEEP)
    started = asyncio.get_running_loop().time()

    status = await queue.wait(job.job_id, timedelta(seconds=0.3))

    assert status.status is JobStatus.QUEUED
    assert asyncio.get_running_loop().time() - started > 0.25


async def test_a_redis_that_is_away_is_told_apart_from_a_job_that_is_unknown(settings: Settings):
    nowhere = settings.model_copy(
        update={"redis_url": type(settings.redis_url)("redis://127.0.0.1:1/0")}  # type: ignore[misc]
    )
    redis = create_redis(nowhere, client_name="flexiprice-tests")
    queue = TaskQueue(redis, nowhere)

    for call in (queue.enqueue(SLEEP), queue.status("x"), queue.wait("x", WAIT), queue.live_workers()):
        with pytest.raises(RedisUnavailable):
            await call
    await queue.aclose()
    await redis.aclose(close_connection_pool=True)
