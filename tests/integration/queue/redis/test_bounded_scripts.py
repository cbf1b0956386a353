"""Scripts touch a bounded part of a queue, because Redis serves no client meanwhile."""

from collections.abc import Awaitable, Callable

import pytest
from arq.connections import ArqRedis
from arq.utils import timestamp_ms

from flexiprice.queue.admin.queues import get_queue
from flexiprice.queue.admin.revoke import purge
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.scripts import LOOKED_AT
from flexiprice.queue.worker.claims import JobClaims
from flexiprice.settings import Settings
from tests.support.toy_tasks import SLEEP

QUEUED = 20_000


@pytest.fixture
async def long_queue(redis: ArqRedis) -> None:
    """A queue with so many jobs."""
    for first in range(0, QUEUED, 2_000):
        jobs = {f"job-{number}": number + 1 for number in range(first, first + 2_000)}
        await redis.zadd(keys.queue_key(SLEEP.queue), jobs)


async def commands_of(redis: ArqRedis, work: Callable[[], Awaitable[object]]) -> int:
    """The number of commands that Redis runs, those inside of scripts included."""
    await redis.config_resetstat()
    await work()
    return sum(told["calls"] for told in (await redis.info("commandstats")).values())


@pytest.mark.usefixtures("long_queue")
async def test_count_script_does_not_scan_waiting_jobs(queue: TaskQueue, redis: ArqRedis):
    assert (await get_queue(queue, SLEEP.queue)).waiting == QUEUED
    assert await commands_of(redis, lambda: get_queue(queue, SLEEP.queue)) < 50


@pytest.mark.usefixtures("long_queue")
async def test_claim_script_scans_a_bounded_number_of_jobs(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    async with redis.pipeline(transaction=False) as pipe:
        for number in range(QUEUED):
            pipe.hset(keys.record_key(f"job-{number}"), "task", "of_tomorrow")
        await pipe.execute()
    await redis.zadd(keys.WORKERS, {"a-worker": timestamp_ms()})
    claims = JobClaims(redis, settings, worker_id="a-worker")

    async def take() -> None:
        taken = await claims.take(SLEEP.queue, room=1000, window=1000, held=(), tasks=(SLEEP.name,))
        assert not taken.jobs

    assert await commands_of(redis, take) < 6 * LOOKED_AT


@pytest.mark.usefixtures("long_queue")
async def test_purge_revokes_a_few_jobs_at_a_time(queue: TaskQueue, redis: ArqRedis):
    for number in range(QUEUED):
        if number % 100 == 0:
            await redis.set(keys.job_key(f"job-{number}"), b"x")

    purged = await purge(queue, (SLEEP.queue,))

    assert purged[SLEEP.queue] == QUEUED // 100
    assert await redis.zcard(keys.queue_key(SLEEP.queue)) == QUEUED - QUEUED // 100
    calls = (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    assert calls >= QUEUED // 100
