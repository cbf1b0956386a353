"""Queues with unreadable or unknown jobs, and long queues."""

import asyncio
import math
import random
import time

from flexiprice.queue.admin.dead_letters import count_dead_letters
from flexiprice.queue.admin.inspect import list_deferred
from flexiprice.queue.admin.queues import list_queues
from flexiprice.queue.redis import keys
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.settings import Queue
from tests.chaos.fault_tasks import OF_TOMORROW
from tests.chaos.harness import Harness
from tests.chaos.outcome import Outcome, outcome

_STORM = 10_000
_KILL_EVERY_SECONDS = 3.0


async def corrupt_bytes(harness: Harness) -> Outcome:
    """Corrupt bytes in the queue, ahead of sound jobs."""
    redis = harness.queue.redis
    for number in range(5):
        await redis.set(keys.job_key(f"garbled-{number}"), random.randbytes(100))
        await redis.zadd(keys.queue_key(Queue.DISCOUNTS), {f"garbled-{number}": 1 + number})
    garbled = {f"garbled-{number}": "corrupt_message" for number in range(5)}
    jobs = await harness.enqueue(20)
    began_at = time.time()
    await harness.start_workers()
    await harness.until_ready([*jobs, *garbled], 20)
    aside = await redis.hlen(keys.QUARANTINE)
    return await outcome(
        harness,
        jobs,
        failing=garbled,
        recovery=time.time() - began_at,
        note=f"{aside} in quarantine",
        as_it_should=aside == 5,
    )


async def poisoned_entries(harness: Harness) -> Outcome:
    """Entries that nobody can use under every kind of key, ahead of sound jobs."""
    redis, queue = harness.queue.redis, keys.queue_key(Queue.DISCOUNTS)
    await harness.start_workers()
    jobs = await harness.enqueue(20, before=0.2)
    hit = await harness.enqueue(1)
    await redis.zadd(queue, {b"caf\xe9": 1, b"\xff\xfe": -math.inf, hit[0]: -math.inf, "never": math.inf})
    began_at = time.time()
    for key in (
        *(
            keys.retry_key(jobs[0]),
            keys.ABORTED_JOBS,
            keys.PAUSED_QUEUES,
            keys.RUN_OUTBOX_WORKERS,
            keys.LOST_WORKERS,
        ),
        *(
            keys.AWAITING_CHILDREN,
            keys.DEAD_LETTERS,
            keys.schedule_key("fault_tick"),
            keys.queue_key(Queue.ANALYTICS),
        ),
    ):
        async with redis.pipeline(transaction=True) as pipe:
            pipe.delete(key)
            pipe.rpush(key, "of", "another", "type")
            await pipe.execute()
    jobs += hit + await harness.enqueue(20)
    await harness.until_ready(jobs)
    took = time.time() - began_at
    await list_queues(harness.queue)
    await list_deferred(harness.queue)
    named = (await count_dead_letters(redis)).by_reason[DeadLetterReason.BAD_ENTRY]
    (worker,) = harness.workers
    return await outcome(
        harness,
        jobs,
        recovery=took,
        note=f"{named} set aside and named; the worker is the same",
        as_it_should=named >= 10 and worker.is_alive and not worker.said("background_task_failed"),
    )


async def unknown_task(harness: Harness) -> Outcome:
    """A task that the only worker does not know, until one comes that does."""
    await harness.start_workers(1, faults_without=OF_TOMORROW.name)
    unknown = await harness.enqueue(5, OF_TOMORROW)
    jobs = await harness.enqueue(20)
    await harness.until_ready(jobs)
    left = not any(status.ready for status in (await harness.statuses(unknown)).values())
    await harness.start_workers()
    known_at = time.time()
    await harness.until_ready(unknown, 20)
    return await outcome(
        harness,
        jobs + unknown,
        recovery=time.time() - known_at,
        note="left for a worker that knows it" if left else "not left for a worker that knows it",
        as_it_should=left,
    )


async def storm(harness: Harness) -> Outcome:
    """10,000 jobs, three workers, one killed every three seconds."""
    jobs = await harness.enqueue(_STORM)
    began = time.monotonic()
    await harness.start_workers(3)
    deaths: list[tuple[int, float]] = []
    ready = asyncio.create_task(harness.until_ready(jobs, 240))
    while not ready.done():
        await asyncio.wait([ready], timeout=_KILL_EVERY_SECONDS)
        # Where a worker takes longer to start than another lives, nobody would be there to recover anything.
        await harness.until_live([worker for worker in harness.workers if worker.is_alive])
        if not ready.done():
            victim = random.choice([worker for worker in harness.workers if worker.is_alive])
            deaths.append((victim.pid, victim.kill()))
            harness.start_worker()
    return await outcome(
        harness,
        jobs,
        losses=deaths,
        note=f"{len(deaths)} workers killed in {time.monotonic() - began:.0f} s",
        as_it_should=len(deaths) >= 3,
    )
