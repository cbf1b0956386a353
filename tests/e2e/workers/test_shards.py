"""Shards of a recompute on workers' processes, one of which is killed."""

from datetime import timedelta

import pytest
from arq.connections import ArqRedis
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.db.tables import Discount, PriceDecision
from flexiprice.domain.shard import BUCKET_COUNT
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS
from flexiprice.queue.redis import keys
from flexiprice.settings import Settings
from tests.support.shards import (
    EVERYTHING,
    SHARDS,
    children_of,
    did,
    held_up,
    number_of,
    settings_with_shards,
    stock_every_bucket,
    until_ended,
)
from tests.support.waiting import until
from tests.support.workers import StartWorker, until_live

WAIT = timedelta(seconds=120)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_with_shards(database_url, redis_url)


@pytest.fixture(autouse=True)
async def shop(engine: AsyncEngine) -> None:
    await stock_every_bucket(engine)


async def test_shards_of_a_killed_worker_run_on_another_and_count_once(
    settings: Settings, start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    program = {"recompute_shards": str(SHARDS), "recompute_shards_from": "0"}
    program |= {"worker_queues": "discounts", "worker_concurrency": "2"}
    # Two workers are held up, and a suspect of the dead worker runs alone: so there is a third.
    workers = [start_worker("workers.settings", **program) for _ in range(3)]
    await until_live(queue, workers=3)
    async with held_up(engine, 1), held_up(engine, 3):
        job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
        await until_ended(redis, job.job_id, SHARDS - 2)
        left = [name for name, outcome in (await children_of(redis, job.job_id)).items() if not outcome]
        owner = (await redis.get(keys.in_progress_key(left[0]))).decode()
        (victim,) = [worker for worker in workers if worker.pid == int(owner.split(":")[1])]
        victim.kill()

        async def is_taken_over() -> bool:
            return await redis.get(keys.in_progress_key(left[0])) not in (None, owner.encode())

        await until(is_taken_over)

    status = await queue.wait(job.job_id, WAIT)

    assert did(status) == EVERYTHING
    assert await number_of(engine, Discount) == await number_of(engine, PriceDecision) == BUCKET_COUNT
