"""A recompute in shards: run by all workers, counted once, and reported as one job."""

import asyncio
from contextlib import aclosing
from datetime import timedelta

import pytest
from arq.connections import ArqRedis
from arq.jobs import deserialize_job
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.db.tables import Discount, PriceDecision, Store
from flexiprice.domain.run import RunTrigger
from flexiprice.domain.shard import BUCKET_COUNT, Shard
from flexiprice.queue.admin.inspect import list_active, list_deferred
from flexiprice.queue.admin.queues import get_queue
from flexiprice.queue.admin.revoke import RevokeOutcome, purge, revoke_jobs
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import RECOMPUTE_ALL_DISCOUNTS, RECOMPUTE_SHARD
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobStatus
from flexiprice.queue.subjobs import child_ids, register_children
from flexiprice.settings import Queue, Settings
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
from tests.support.workers import running
from workers import tasks
from workers.runtime.jobs.task import tasks_in

WAIT = timedelta(seconds=120)
TASKS = tasks_in(tasks)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_with_shards(database_url, redis_url)


@pytest.fixture(autouse=True)
async def shop(engine: AsyncEngine) -> None:
    await stock_every_bucket(engine)


async def test_one_worker_that_runs_one_job_at_a_time_does_all_shards_and_the_sum(
    settings: Settings, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    async with running(settings.model_copy(update={"worker_concurrency": 1}), TASKS):
        job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
        async with aclosing(queue.follow(job.job_id)) as changes:
            told = [status async for status in changes]
        again = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
        second = await queue.wait(again.job_id, WAIT)

    assert did(told[-1]) == EVERYTHING
    assert did(second) == EVERYTHING | {"opened": 0, "unchanged": BUCKET_COUNT}
    assert await number_of(engine, Discount) == await number_of(engine, PriceDecision) == BUCKET_COUNT
    assert {status.status for status in told} <= {JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.SUCCEEDED}
    come = [(status.progress.done, status.progress.total) for status in told if status.progress]
    assert come[-1] == (SHARDS, SHARDS)
    assert told[-1].attempt == 1
    assert await redis.keys("flexiprice:children:*") == []


async def test_small_recompute_is_not_sharded(settings: Settings, queue: TaskQueue, engine: AsyncEngine):
    little = settings.model_copy(update={"recompute_shards_from": BUCKET_COUNT})
    async with running(little, TASKS):
        job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
        status = await queue.wait(job.job_id, WAIT)

    assert did(status) == EVERYTHING
    async with AsyncSession(engine) as session:
        assert (await session.scalars(text("SELECT task FROM task_runs"))).all() == [
            "recompute_all_discounts"
        ]


async def test_recompute_awaits_its_shards_without_occupying_a_worker(
    settings: Settings, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    async with running(settings, TASKS):
        async with held_up(engine, 2):
            job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
            await until_ended(redis, job.job_id, SHARDS - 1)
            status = await queue.status(job.job_id)
            owner = await redis.get(keys.in_progress_key(job.job_id))
            active = [job.task for job in await list_active(queue)]
            counted = await get_queue(queue, Queue.DISCOUNTS)
            deferred = await list_deferred(queue)
        ended = await queue.wait(job.job_id, WAIT)

    assert (status.status, status.ready, status.worker_id) == (JobStatus.RUNNING, False, None)
    assert status.progress is not None
    assert (status.progress.done, status.progress.total) == (SHARDS - 1, SHARDS)
    assert owner is None
    assert active == ["recompute_all_discounts", "recompute_shard"]
    assert (counted.running, counted.waiting, counted.deferred, deferred) == (2, 0, 0, ())
    assert did(ended) == EVERYTHING
    assert ended.started_at == status.started_at


async def test_a_shard_that_runs_twice_counts_once(
    settings: Settings, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    async with running(settings, TASKS):
        async with held_up(engine, 2):
            job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
            await until_ended(redis, job.job_id, SHARDS - 1)
            first = min(await children_of(redis, job.job_id))
            # As if its first run were unknown: the second finds nothing to do.
            await redis.delete(keys.result_key(first))
            twice = await queue.enqueue(
                RECOMPUTE_SHARD,
                arguments={"number": 1, "count": SHARDS},
                job_id=first,
                source=JobSource(trigger=RunTrigger.TASK, parent_job_id=job.job_id),
            )
            assert twice.created
            assert did(await queue.wait(first, WAIT))["opened"] == 0
        status = await queue.wait(job.job_id, WAIT)

    assert did(status) == EVERYTHING


async def test_shards_that_find_no_room_in_the_queue_are_enqueued_later(
    settings: Settings, queue: TaskQueue, engine: AsyncEngine
):
    narrow = settings.model_copy(update={"queue_limit": 3})
    async with running(narrow, TASKS):
        job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
        status = await queue.wait(job.job_id, WAIT)

    assert did(status) == EVERYTHING


async def test_a_shard_that_fails_is_named_and_what_the_others_did_is_told(
    settings: Settings, queue: TaskQueue, engine: AsyncEngine
):
    async with AsyncSession(engine) as session, session.begin():
        third = Shard(3, SHARDS).buckets[0]
        store = await session.scalar(
            select(Store.id).where(Store.id % BUCKET_COUNT == third, Store.code != "main")
        )
        # An injected defect: the ledger refuses this shard's rows.
        await session.execute(text(f"ALTER TABLE price_decisions ADD CHECK (store_id <> {store})"))
    async with running(settings, TASKS):
        job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
        status = await queue.wait(job.job_id, WAIT)

    assert status.status is JobStatus.FAILED
    assert status.error is not None
    assert status.error.code == "shards_failed"
    assert status.error.message.startswith("1 of 4 shards failed: 3 (internal_error: ")
    assert (
        f"The others considered {BUCKET_COUNT - 4}, opened {BUCKET_COUNT - 4}, changed 0"
        in status.error.message
    )
    assert await number_of(engine, Discount) == BUCKET_COUNT - 4


async def test_a_recompute_that_is_called_off_takes_its_shards_along(
    settings: Settings, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    narrow = settings.model_copy(update={"worker_concurrency": 2})
    async with running(narrow, TASKS), held_up(engine, 1), held_up(engine, 2):
        job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)

        async def begun() -> bool:
            return len((await get_queue(queue, Queue.DISCOUNTS)).running_job_ids) == 3

        await until(begun)
        shards = list(await children_of(redis, job.job_id))
        (answer,) = await revoke_jobs(queue, [job.job_id])
        statuses = await queue.statuses([job.job_id, *shards])

    assert answer.outcome is RevokeOutcome.CANCELLED
    assert [status.status for status in statuses] == [JobStatus.REVOKED] * (1 + SHARDS)
    assert await redis.zcard(keys.queue_key(Queue.DISCOUNTS)) == 0
    assert await redis.zcard(keys.ABORTED_JOBS) == 0
    assert await redis.keys("flexiprice:children:*") == []
    assert await number_of(engine, Discount) == 0


async def test_a_purge_leaves_the_recompute_alone_which_then_tells_what_was_purged(
    settings: Settings, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    async with running(settings.model_copy(update={"worker_concurrency": 1}), TASKS):
        async with held_up(engine, 1):
            job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)

            async def first_has_begun() -> bool:
                counted = await get_queue(queue, Queue.DISCOUNTS)
                return (counted.running, counted.waiting) == (2, SHARDS - 1)

            await until(first_has_begun)
            purged = await purge(queue, [Queue.DISCOUNTS])
        status = await queue.wait(job.job_id, WAIT)

    assert purged == {Queue.DISCOUNTS: SHARDS - 1}
    assert status.error is not None
    assert status.error.message.startswith("3 of 4 shards failed: 2 (revoked: ")
    assert "opened 4," in status.error.message


async def test_shards_that_a_killed_worker_left_unenqueued_are_enqueued_by_the_next(
    settings: Settings, queue: TaskQueue, redis: ArqRedis
):
    job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
    body = await redis.get(keys.job_key(job.job_id))
    enqueued_at = deserialize_job(body, deserializer=codec.decode).enqueue_time
    # The entries of Redis when the job is released.
    ids = child_ids(job.job_id, enqueued_at, SHARDS)
    await redis.set(keys.in_progress_key(job.job_id), "dead")
    begun = await register_children(redis, job_id=job.job_id, worker_id="dead", ids=ids)
    await queue.enqueue(
        RECOMPUTE_SHARD,
        arguments={"number": 1, "count": SHARDS},
        job_id=ids[0],
        source=JobSource(trigger=RunTrigger.TASK, parent_job_id=job.job_id),
    )
    await redis.delete(keys.in_progress_key(job.job_id))
    alone = settings.model_copy(update={"recompute_shards": 1})
    async with running(alone, TASKS):
        status = await queue.wait(job.job_id, WAIT)

    assert begun == dict.fromkeys(ids)
    assert did(status) == EVERYTHING


async def test_the_history_knows_the_shards_as_children_of_the_recompute(
    settings: Settings, queue: TaskQueue, engine: AsyncEngine
):
    async with running(settings, TASKS):
        job = await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS)
        await queue.wait(job.job_id, WAIT)

    states = text("SELECT status::text FROM task_runs WHERE job_id = :job ORDER BY started_at")
    children = text("SELECT count(*) FROM task_runs WHERE parent_job_id = :job AND status = 'succeeded'")
    async with AsyncSession(engine) as session:
        assert (await session.scalars(states, {"job": job.job_id})).all() == ["released", "succeeded"]
        assert await session.scalar(children, {"job": job.job_id}) == SHARDS


async def test_many_recomputes_in_shards_at_once_come_to_an_end(
    settings: Settings, queue: TaskQueue, engine: AsyncEngine
):
    async with running(settings, TASKS), asyncio.timeout(120):
        jobs = [await queue.enqueue(RECOMPUTE_ALL_DISCOUNTS) for _ in range(5)]
        statuses = [await queue.wait(job.job_id, WAIT) for job in jobs]

    assert sum(did(status)["opened"] for status in statuses) == BUCKET_COUNT
    assert {did(status)["considered"] for status in statuses} == {BUCKET_COUNT}
