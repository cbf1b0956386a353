"""Queues: purged, counted, paused and resumed."""

import asyncio
from datetime import UTC, datetime, timedelta

from arq.connections import ArqRedis

from flexiprice.queue.admin.queues import get_queue, list_queues, pause_queue, resume_queue
from flexiprice.queue.admin.revoke import purge
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Queue, Settings
from tests.support.redis_commands import scripts_called
from tests.support.toy_tasks import (
    ADD,
    COUNT_STORES,
    HOLD,
    SLEEP,
    SLEEP_ELSEWHERE,
    release,
)
from tests.support.workers import running, until_running

WAIT = timedelta(seconds=120)


async def test_purging_empties_the_queues_but_for_what_runs_and_says_how_much(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    narrow = settings.model_copy(update={"worker_concurrency": 1})
    async with running(narrow):
        runs = await queue.enqueue(HOLD)
        await until_running(queue, runs.job_id)
        waiting = [await queue.enqueue(SLEEP) for _ in range(7)]
        deferred = await queue.enqueue(SLEEP, defer_by=timedelta(minutes=1))
        elsewhere = await queue.enqueue(SLEEP_ELSEWHERE, defer_by=timedelta(minutes=1))

        purged = await purge(queue, [Queue.DISCOUNTS])

        assert purged == {Queue.DISCOUNTS: 8}
        await release(redis, runs.job_id)
        assert (await queue.wait(runs.job_id, WAIT)).status is JobStatus.SUCCEEDED
    assert (await queue.status(elsewhere.job_id)).status is JobStatus.DEFERRED
    statuses = await queue.statuses([job.job_id for job in [*waiting, deferred]])
    assert {status.status for status in statuses} == {JobStatus.REVOKED}
    assert await redis.zcard(keys.queue_key(Queue.DISCOUNTS)) == 0
    assert await purge(queue) == {Queue.DISCOUNTS: 0, Queue.MAINTENANCE: 1, Queue.ANALYTICS: 0}


async def test_purge_of_a_long_queue_runs_few_scripts(queue: TaskQueue, redis: ArqRedis):
    for start in range(0, 2_000, 20):
        await asyncio.gather(*(queue.enqueue(SLEEP, job_id=f"{start + n}") for n in range(20)))
    before = await scripts_called(redis)

    purged = await purge(queue)

    assert purged[Queue.DISCOUNTS] == 2_000
    # Not one for each job.
    assert await scripts_called(redis) - before < 100


async def test_a_queue_counts_what_waits_apart_from_what_runs_or_is_deferred(
    queue: TaskQueue, settings: Settings
):
    narrow = settings.model_copy(update={"worker_concurrency": 1, "worker_grace": timedelta(0)})
    async with running(narrow):
        runs = await queue.enqueue(SLEEP, arguments={"seconds": 60})
        await until_running(queue, runs.job_id)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(3):
            await queue.enqueue(SLEEP)
        await queue.enqueue(SLEEP, defer_by=timedelta(hours=1))

        state, empty, _ = await list_queues(queue)
        waited = timedelta(seconds=loop.time() - began)

    assert (state.queue, state.waiting, state.deferred, state.running) == (Queue.DISCOUNTS, 3, 1, 1)
    assert state.running_job_ids == (runs.job_id,)
    assert state.oldest_waiting is not None
    # Redis counts milliseconds, and from one that had begun.
    assert timedelta(0) <= state.oldest_waiting <= waited + timedelta(milliseconds=10)
    assert (empty.waiting, empty.deferred, empty.running, empty.oldest_waiting) == (0, 0, 0, None)


async def test_from_a_paused_queue_nothing_is_taken_until_it_is_resumed(queue: TaskQueue, settings: Settings):
    now = datetime.now(tz=UTC)
    async with running(settings):
        assert await pause_queue(queue, Queue.DISCOUNTS, now=now, by="ada")
        assert not await pause_queue(queue, Queue.DISCOUNTS, now=now, by="bob")
        job = await queue.enqueue(ADD, arguments={"left": 1})
        elsewhere = await queue.enqueue(COUNT_STORES)
        assert (await queue.wait(elsewhere.job_id, WAIT)).ready

        held = await queue.wait(job.job_id, timedelta(seconds=0.3))
        state = await get_queue(queue, Queue.DISCOUNTS)
        assert await resume_queue(queue, Queue.DISCOUNTS)
        assert not await resume_queue(queue, Queue.DISCOUNTS)

        assert held.status is JobStatus.QUEUED
        assert (state.paused_by, state.waiting) == ("ada", 1)
        assert state.paused_at is not None
        assert abs(state.paused_at - now) < timedelta(milliseconds=2)
        assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED
        assert (await get_queue(queue, Queue.DISCOUNTS)).paused_at is None
