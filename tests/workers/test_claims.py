"""What a worker takes of a queue whose jobs have already brought workers down."""

from collections.abc import Sequence

import pytest
from arq.connections import ArqRedis
from arq.utils import timestamp_ms

from flexiprice.jobs import keys
from flexiprice.jobs.claims import JobClaims
from flexiprice.jobs.client import TaskQueue
from flexiprice.settings import Queue, Settings
from tests.workers.toy_tasks import SLEEP, SLEEP_ELSEWHERE

WORKER = "a-worker"


@pytest.fixture
async def claims(redis: ArqRedis, settings: Settings) -> JobClaims:
    """Of a worker whose lease is fresh."""
    await redis.zadd(keys.WORKERS, {WORKER: timestamp_ms()})
    return JobClaims(redis, settings, worker_id=WORKER)


async def take(claims: JobClaims, queue: Queue = SLEEP.queue, held: Sequence[str] = ()) -> list[str]:
    tasks = (SLEEP.name, SLEEP_ELSEWHERE.name)
    taken = await claims.take(queue, room=10, window=40, held=held, tasks=tasks)
    return [job.job_id for job in taken.jobs]


async def enqueue_lost(queue: TaskQueue, redis: ArqRedis, job_id: str, losses: int, task=SLEEP) -> None:
    await queue.enqueue(task, job_id=job_id)
    if losses:
        await redis.hset(keys.record_key(job_id), "losses", str(losses))


async def test_of_jobs_that_two_lost_workers_ran_one_runs_at_a_time(
    claims: JobClaims, queue: TaskQueue, redis: ArqRedis
):
    await enqueue_lost(queue, redis, "1 poison", 2)
    await enqueue_lost(queue, redis, "2 beside it", 2)
    await enqueue_lost(queue, redis, "lost once", 1)
    await enqueue_lost(queue, redis, "never lost", 0)

    assert sorted(await take(claims)) == ["1 poison", "lost once", "never lost"]
    assert await take(claims, held=["1 poison", "lost once", "never lost"]) == []
    await redis.hdel(keys.running_key(WORKER), "1 poison")
    assert "2 beside it" in await take(claims, held=["1 poison", "lost once", "never lost"])


async def test_nor_does_one_of_another_queue_run_beside_it(
    claims: JobClaims, queue: TaskQueue, redis: ArqRedis
):
    await enqueue_lost(queue, redis, "1 poison", 2)
    await enqueue_lost(queue, redis, "2 beside it", 2, SLEEP_ELSEWHERE)

    assert await take(claims) == ["1 poison"]
    assert await take(claims, SLEEP_ELSEWHERE.queue) == []
