"""Revoking and retrying jobs, purging and pausing queues, pausing and running schedules."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from arq.connections import ArqRedis

from flexiprice.domain.run import RunTrigger
from flexiprice.errors import InvalidInput, NotFound, QueueFull
from flexiprice.queue.admin.inspect import list_active, list_deferred
from flexiprice.queue.admin.queues import get_queue, list_queues, pause_queue, resume_queue
from flexiprice.queue.admin.retry import retry_jobs
from flexiprice.queue.admin.revoke import RevokeOutcome, purge, revoke_jobs
from flexiprice.queue.admin.schedules import list_schedules, pause_schedule, resume_schedule, run_schedule
from flexiprice.queue.client import MAX_PAYLOAD_BYTES, TaskQueue
from flexiprice.queue.declarations import MAX_BATCHES, RECOMPUTE_ALL_DISCOUNTS, RECOMPUTE_BATCHES, SCHEDULES
from flexiprice.queue.redis import keys
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobError, JobStatus
from flexiprice.settings import Queue, Settings
from tests.support.toy_tasks import (
    ADD,
    COUNT_STORES,
    FAIL,
    HOLD,
    SLEEP,
    SLEEP_ELSEWHERE,
    STEPS,
    STUBBORN,
    release,
)
from tests.support.waiting import until
from tests.support.workers import running, until_running

WAIT = timedelta(seconds=120)
ME = JobSource(trigger=RunTrigger.CLI, actor="ada")
HOURLY = SCHEDULES[0].name


async def scripts_called(redis: ArqRedis) -> int:
    """The number of scripts that Redis has run for all clients."""
    return int((await redis.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"])


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


async def test_a_retry_is_a_new_job_with_the_same_arguments_that_names_its_parent(
    queue: TaskQueue, settings: Settings
):
    async with running(settings):
        failed = await queue.enqueue(FAIL, arguments={"kind": "ours"})
        await queue.wait(failed.job_id, WAIT)

        (answer,) = await retry_jobs(queue, [failed.job_id], origin=ME)
        assert answer.new_job_id is not None
        again = await queue.wait(answer.new_job_id, WAIT)

    assert again.error == JobError("not_found", "there is no such batch")
    assert again.origin == JobSource(trigger=RunTrigger.RETRY, parent_job_id=failed.job_id, actor="ada")


async def test_revoked_or_expired_job_can_be_retried(queue: TaskQueue, settings: Settings):
    revoked = await queue.enqueue(ADD, arguments={"left": 1})
    await revoke_jobs(queue, [revoked.job_id])
    expired = await queue.enqueue(ADD, arguments={"left": 2}, expires=timedelta(milliseconds=1))

    async def has_expired() -> bool:
        return (await queue.status(expired.job_id)).ready

    await until(has_expired)
    answers = await retry_jobs(queue, [revoked.job_id, expired.job_id], origin=ME)
    async with running(settings):
        # Now a worker has found it to be expired, and has written that down.
        await queue.wait(expired.job_id, WAIT)
        answers += await retry_jobs(queue, [expired.job_id], origin=ME)
        results = [(await queue.wait(answer.new_job_id or "", WAIT)).result for answer in answers]

    assert results == [Decimal(2), Decimal(3), Decimal(3)]


async def test_unfinished_or_unknown_job_is_not_retried(queue: TaskQueue, redis: ArqRedis):
    job = await queue.enqueue(SLEEP)

    answers = await retry_jobs(queue, [job.job_id, "unknown"], origin=ME)

    assert [answer.new_job_id for answer in answers] == [None, None]
    assert "queued" in answers[0].message
    assert "no such job" in answers[1].message
    assert await redis.zcard(keys.queue_key(Queue.DISCOUNTS)) == 1


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
    origin = JobSource(trigger=RunTrigger.API, request_id="r-1", actor="api key")
    job = await queue.enqueue(ADD, arguments={"left": 1}, origin=origin)
    unsaid = await queue.enqueue(ADD, arguments={"left": 1})

    before = await queue.status(job.job_id)
    async with running(settings):
        after = await queue.wait(job.job_id, WAIT)

    assert before.origin == after.origin == origin
    assert (await queue.status(unsaid.job_id)).origin == JobSource(trigger=RunTrigger.PROGRAM)


async def test_a_running_job_tells_how_far_it_has_come(queue: TaskQueue, redis: ArqRedis, settings: Settings):
    async with running(settings):
        job = await queue.enqueue(STEPS, arguments={"count": 4, "held": True})
        seen = []
        async for status in queue.follow(job.job_id):
            seen.append(status)
            if status.progress is not None:
                await release(redis, f"{job.job_id}/{status.progress.done}")

    reported = [status.progress for status in seen if status.progress is not None]
    assert [progress.total for progress in reported] == [4] * len(reported)
    assert [progress.done for progress in reported] == sorted(progress.done for progress in reported)
    assert {progress.done for progress in reported} == {1, 2, 3, 4}
    assert (reported[-1].done, reported[-1].message) == (4, "step 4")
    assert (seen[-1].status, seen[-1].ready) == (JobStatus.SUCCEEDED, True)


async def test_progress_that_is_reported_at_every_step_is_written_a_few_times(
    queue: TaskQueue, settings: Settings, redis: ArqRedis
):
    async with running(settings):
        before = await scripts_called(redis)
        job = await queue.enqueue(STEPS, arguments={"count": 20_000})
        status = await queue.wait(job.job_id, WAIT)
        after = await scripts_called(redis)

    assert status.progress is not None
    assert status.progress.done == 20_000
    assert after - before < 100


async def test_active_and_deferred_jobs_are_listed(queue: TaskQueue, settings: Settings):
    async with running(settings.model_copy(update={"worker_grace": timedelta(0)})):
        job = await queue.enqueue(SLEEP, arguments={"seconds": 60})
        later = await queue.enqueue(SLEEP_ELSEWHERE, defer_by=timedelta(minutes=2))
        soon = await queue.enqueue(SLEEP, defer_by=timedelta(minutes=1))
        await until_running(queue, job.job_id)

        active = await list_active(queue)
        deferred = await list_deferred(queue)
        (worker,) = await queue.live_workers()

    assert [(status.job_id, status.worker_id) for status in active] == [(job.job_id, worker.worker_id)]
    assert [status.job_id for status in deferred] == [soon.job_id, later.job_id]
    assert deferred[0].due_at is not None
    assert [status.job_id for status in await list_deferred(queue, limit=1)] == [soon.job_id]


async def test_a_paused_schedule_lets_its_ticks_pass_and_goes_on_with_the_next(
    queue: TaskQueue, redis: ArqRedis
):
    start = datetime.now(tz=UTC).replace(microsecond=0)

    async def tick(tick_at: datetime) -> bool:
        job = await queue.enqueue_tick(
            RECOMPUTE_ALL_DISCOUNTS, arguments={}, schedule=HOURLY, tick_at=tick_at
        )
        return job.created

    assert await tick(start - timedelta(minutes=2))
    assert await pause_schedule(queue, HOURLY, by="ada")
    assert not await pause_schedule(queue, HOURLY, by="bob")
    assert not await tick(start - timedelta(minutes=1))
    (state, *_) = await list_schedules(queue)
    assert await resume_schedule(queue, HOURLY)
    assert not await resume_schedule(queue, HOURLY)
    assert not await tick(start - timedelta(minutes=1))
    # Enqueued a moment early, as ticks are.
    assert await tick(datetime.now(tz=UTC).replace(microsecond=0) + timedelta(seconds=2))

    assert (state.name, state.paused_by, state.crontab) == (HOURLY, "ada", "0 * * * *")
    assert state.last_tick_at == start - timedelta(minutes=1)
    assert await redis.zcard(keys.queue_key(Queue.DISCOUNTS)) == 2


async def test_ticks_missed_while_a_schedule_was_paused_are_not_made_up_on_resume(queue: TaskQueue):
    await pause_schedule(queue, HOURLY, by="ada")
    await resume_schedule(queue, HOURLY)

    missed = await queue.enqueue_tick(
        RECOMPUTE_ALL_DISCOUNTS,
        arguments={},
        schedule=HOURLY,
        tick_at=datetime.now(tz=UTC) - timedelta(minutes=1),
        late=True,
    )

    assert not missed.created


async def test_a_schedule_is_run_out_of_turn_even_while_it_is_paused(queue: TaskQueue):
    await pause_schedule(queue, HOURLY, by="ada")

    job = await run_schedule(queue, HOURLY, origin=ME)

    status = await queue.status(job.job_id)
    assert (status.task, status.status) == ("recompute_all_discounts", JobStatus.QUEUED)
    assert (status.origin.trigger, status.origin.actor) == (RunTrigger.SCHEDULE_BY_HAND, "ada")


async def test_an_unknown_schedule_is_not_found(queue: TaskQueue):
    for call in (
        pause_schedule(queue, "weekly", by="ada"),
        resume_schedule(queue, "weekly"),
        run_schedule(queue, "weekly", origin=ME),
    ):
        with pytest.raises(NotFound, match="there are recompute_all_discounts"):
            await call


async def test_schedules_say_when_they_tick_next(queue: TaskQueue):
    now = datetime(2024, 5, 1, 12, 30, tzinfo=UTC)

    states = await list_schedules(queue, now=now)

    assert [state.next_tick_at for state in states] == [
        datetime(2024, 5, 1, 13, tzinfo=UTC),
        datetime(2024, 5, 2, 2, tzinfo=UTC),
        datetime(2024, 5, 1, 18, tzinfo=UTC),
    ]
    assert {state.last_tick_at for state in states} == {None}
