"""With any entries under the product's keys in Redis, workers continue and every list can be read."""

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from arq.connections import ArqRedis

from flexiprice.queue.admin.arguments import find_arguments
from flexiprice.queue.admin.dead_letter_actions import dismiss
from flexiprice.queue.admin.dead_letters import count_dead_letters, list_dead_letters
from flexiprice.queue.admin.inspect import list_active, list_deferred, list_registered, list_waiting
from flexiprice.queue.admin.metrics_snapshot import take_snapshot
from flexiprice.queue.admin.queues import list_queues
from flexiprice.queue.admin.revoke import purge, revoke_jobs
from flexiprice.queue.admin.schedules import list_schedules, pause_schedule, resume_schedule
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.status import JobStatus
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.settings import Queue, Settings
from tests.support.toy_tasks import SLEEP, SLEEP_ELSEWHERE
from tests.support.waiting import until
from tests.support.workers import running

JOB: Final = "hit"
OTHER: Final = "gone:1:0000abcd"
SCHEDULE: Final = "recompute_all_discounts"
WAIT: Final = timedelta(seconds=90)
QUEUE: Final = keys.queue_key(SLEEP.queue)
# By the type that each must have.
KEYS: Final = {
    QUEUE: "zset",
    keys.queue_key(Queue.ANALYTICS): "zset",
    keys.job_key(JOB): "string",
    keys.result_key(JOB): "string",
    keys.in_progress_key(JOB): "string",
    keys.retry_key(JOB): "string",
    keys.record_key(JOB): "hash",
    keys.children_key(JOB): "hash",
    keys.ABORTED_JOBS: "zset",
    keys.WORKERS: "zset",
    keys.LOST_WORKERS: "zset",
    keys.RUN_OUTBOX_WORKERS: "zset",
    keys.QUARANTINE: "hash",
    keys.BAD_ENTRIES: "hash",
    keys.DEAD_LETTERS: "hash",
    keys.dead_letters_key("failed"): "zset",
    keys.RECENT_DEATHS: "zset",
    keys.AWAITING_CHILDREN: "zset",
    keys.PAUSED_QUEUES: "hash",
    keys.schedule_key(SCHEDULE): "hash",
    keys.worker_key(OTHER): "string",
    keys.worker_command_key(OTHER): "string",
    keys.running_key(OTHER): "hash",
    keys.lone_key(OTHER): "string",
    keys.run_outbox_key(OTHER): "hash",
    keys.loss_key(OTHER): "string",
    "arq:queue:ticks": "zset",
}
KINDS: Final = ("string", "hash", "list", "set", "zset")
WORDS: Final = (
    *(
        b"",
        b"0",
        b"-1",
        b"1e999",
        b"nan",
        b"inf",
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"a\x00b",
        b"x" * 1200,
        b"9" * 30,
    ),
    *(
        JOB.encode(),
        OTHER.encode(),
        b"discounts:1",
        b"discounts:x",
        b"maintenance:" + b"9" * 30,
        b"nowhere:1",
    ),
)
FIELDS: Final = (
    *(
        b"losses",
        b"lone_losses",
        b"suspect",
        b"enqueued",
        b"started",
        b"children",
        b"parent",
        b"queue",
        b"task",
    ),
    *(
        b"progress",
        b"unknown_since",
        b"drain_until",
        b"drain_by",
        b"drains",
        b"last_tick",
        b"paused_at",
        b"since",
    ),
)
SCORES: Final = (math.inf, -math.inf, 1e300, -1e300, -1.0, 0.0, 1.0, 1e15, 1e13)


async def corrupt(redis: ArqRedis, key: str, kind: str, chance: random.Random) -> object:
    """Puts something of a type under a key; returns what."""
    some = [chance.choice(WORDS) for _ in range(chance.randint(1, 3))]
    async with redis.pipeline(transaction=True) as pipe:
        pipe.delete(key)
        match kind:
            case "string":
                pipe.set(key, some[0])
            case "hash":
                some = {chance.choice((*FIELDS, *WORDS)): word for word in some}
                pipe.hset(key, mapping=some)
            case "list":
                pipe.rpush(key, *some)
            case "set":
                pipe.sadd(key, *some)
            case _:
                some = {word: chance.choice(SCORES) for word in some}
                pipe.zadd(key, some)
        await pipe.execute()
    return some


async def read_everything(queue: TaskQueue) -> None:
    """Reads every list of the API, the command line and the monitor from Redis."""
    now = datetime.now(UTC)
    await list_queues(queue)
    await list_active(queue)
    await list_deferred(queue)
    await list_waiting(queue)
    await list_registered(queue)
    await list_schedules(queue, now=now)
    await take_snapshot(queue, now=now)
    await list_dead_letters(queue.redis)
    await queue.find_statuses([JOB, "other"])
    await find_arguments(queue, [JOB, "other"])


async def test_bad_redis_entries_break_no_list_and_no_change(queue: TaskQueue, redis: ArqRedis):
    chance = random.Random(7)
    for key in KEYS:
        for kind in KINDS:
            await redis.flushdb()
            await queue.enqueue(SLEEP, job_id=JOB)
            held = await corrupt(redis, key, kind, chance)
            try:
                await read_everything(queue)
                await revoke_jobs(queue, [JOB], timeout=timedelta(0))
                await pause_schedule(queue, SCHEDULE, by="the test")
                await resume_schedule(queue, SCHEDULE)
                await queue.enqueue(SLEEP)
                await purge(queue)
                await dismiss(queue, None)
            except Exception as error:
                error.add_note(f"{key} held {kind} {held!r}")
                raise


async def test_workers_continue_whatever_redis_holds_under_any_key(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    chance = random.Random(11)
    async with running(settings):
        for number in range(60):
            hit = []
            await queue.enqueue(SLEEP, job_id=JOB)
            for key in chance.sample(sorted(KEYS), chance.randint(1, 3)):
                # Any entry of a paused queue pauses it.
                if key != keys.PAUSED_QUEUES:
                    kind = chance.choice(KINDS)
                    hit.append((key, kind, await corrupt(redis, key, kind, chance)))
            task = chance.choice((SLEEP, SLEEP_ELSEWHERE))
            try:
                job = await queue.enqueue(task, job_id=f"sound-{number}")
                status = await queue.wait(job.job_id, WAIT)
                await read_everything(queue)
                assert status.status is JobStatus.SUCCEEDED
            except BaseException as error:
                error.add_note(f"round {number}: {hit!r}")
                raise
            await redis.delete(keys.job_key(JOB), keys.result_key(JOB), keys.in_progress_key(JOB))
            await redis.delete(keys.record_key(JOB), keys.children_key(JOB), keys.worker_command_key(OTHER))


@pytest.mark.parametrize("score", [-math.inf, -1e300, -1.0])
async def test_a_job_whose_due_time_is_none_runs_and_is_named(
    score: float, queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    await queue.enqueue(SLEEP, job_id=JOB)
    await redis.zadd(QUEUE, {JOB: score})
    async with running(settings):
        assert (await queue.wait(JOB, WAIT)).status is JobStatus.SUCCEEDED

    (letter,) = await list_dead_letters(redis)
    assert (letter.job_id, letter.reason) == (f"{QUEUE} {JOB}", DeadLetterReason.BAD_ENTRY)
    assert "due time" in letter.message


async def test_job_id_that_is_no_text_is_a_dead_letter_until_it_is_dismissed(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    await redis.zadd(QUEUE, {b"caf\xe9": 1})
    async with running(settings):
        job = await queue.enqueue(SLEEP)
        assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED

    (letter,) = await list_dead_letters(redis)
    assert letter.job_id == rf"{QUEUE} caf\xe9"
    assert (await count_dead_letters(redis)).by_reason[DeadLetterReason.BAD_ENTRY] == 1
    assert await dismiss(queue, [letter.job_id]) == 1
    assert await list_dead_letters(redis) == ()


@pytest.mark.parametrize("worker_id", [b"", b"x" * 46, b"caf\xe9", b"a\nb"])
async def test_invalid_worker_ids_are_removed_from_the_lists_of_workers_and_logged(
    worker_id: bytes, queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    lists = (keys.LOST_WORKERS, keys.RUN_OUTBOX_WORKERS)
    for name in lists:
        await redis.zadd(name, {worker_id: 1})
    async with running(settings):
        await wait_until_gone(redis, *lists)
        job = await queue.enqueue(SLEEP)
        assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED

    letters = await list_dead_letters(redis)
    # Runs without a worker are recorded under an empty id, which is valid only on the first list.
    told = ["set aside in Redis: no worker is called so"] * (2 if worker_id else 1)
    assert [letter.message for letter in letters] == told


async def wait_until_gone(redis: ArqRedis, *names: str) -> None:
    async def gone() -> bool:
        return not await redis.exists(*names)

    await until(gone)


async def test_a_key_of_another_type_is_kept_for_a_person_under_another_name(
    queue: TaskQueue, redis: ArqRedis
):
    await redis.rpush(keys.PAUSED_QUEUES, "a", "b")

    await list_queues(queue)

    assert await redis.lrange(keys.bad_entry_key(keys.PAUSED_QUEUES), 0, -1) == [b"a", b"b"]
    assert await redis.ttl(keys.bad_entry_key(keys.PAUSED_QUEUES)) > 0
    (letter,) = await list_dead_letters(redis)
    assert letter.message == "set aside in Redis: it is a list and must be a hash"
