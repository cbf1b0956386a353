"""The lifecycle of a job, from enqueueing to its result, with a running worker."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from arq.connections import ArqRedis
from arq.jobs import Job
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.domain.run import RunStatus
from flexiprice.errors import RemoteError
from flexiprice.queue.admin.dead_letters import list_dead_letters
from flexiprice.queue.admin.retry import RetryOutcome, retry_jobs
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.source import JobSource
from flexiprice.queue.status import JobError, JobStatus
from flexiprice.runs.query import list_attempts
from flexiprice.settings import Queue, Settings
from tests.support.toy_tasks import (
    ADD,
    COUNT_STORES,
    FAIL,
    FLAKY,
    HASTY,
    HOLD,
    RETRY_MUCH_LATER,
    RETURN,
    SLEEP,
    SLEEP_ELSEWHERE,
    release,
)
from tests.support.waiting import until
from tests.support.workers import running, until_live, until_running

WAIT = timedelta(seconds=120)


@pytest.mark.usefixtures("worker")
async def test_a_job_runs_and_its_result_can_be_read(queue: TaskQueue):
    before = datetime.now(tz=UTC) - timedelta(seconds=1)

    job = await queue.enqueue(ADD, arguments={"left": Decimal("1.50")})
    status = await queue.wait(job.job_id, WAIT)

    assert (job.task, job.queue, job.created) == ("add", Queue.DISCOUNTS, True)
    assert (status.status, status.ready, status.result, status.error) == (
        JobStatus.SUCCEEDED,
        True,
        Decimal("2.50"),
        None,
    )
    assert (status.task, status.queue, status.attempt, status.progress) == ("add", Queue.DISCOUNTS, 1, None)
    assert status.enqueued_at is not None
    assert status.started_at is not None
    assert status.finished_at is not None
    assert before < status.enqueued_at <= status.started_at <= status.finished_at <= datetime.now(tz=UTC)


@pytest.mark.usefixtures("worker")
async def test_one_worker_runs_the_jobs_of_all_queues_with_a_database_at_hand(queue: TaskQueue):
    jobs = [
        await queue.enqueue(ADD, arguments={"left": 1}),
        await queue.enqueue(SLEEP_ELSEWHERE),
        await queue.enqueue(COUNT_STORES),
    ]

    statuses = [await queue.wait(job.job_id, WAIT) for job in jobs]

    assert [status.queue for status in statuses] == list(Queue)
    assert [status.result for status in statuses] == [Decimal(2), 1, 1]


async def test_a_waiting_job_is_queued_and_a_deferred_one_deferred(queue: TaskQueue):
    now = await queue.enqueue(SLEEP)
    later = await queue.enqueue(SLEEP, defer_by=timedelta(seconds=60))

    statuses = [await queue.status(job.job_id) for job in (now, later)]

    assert [status.status for status in statuses] == [JobStatus.QUEUED, JobStatus.DEFERRED]
    for status in statuses:
        assert (status.ready, status.attempt, status.started_at) == (False, 0, None)


@pytest.mark.usefixtures("worker")
async def test_a_job_is_running_while_it_runs(queue: TaskQueue, redis: ArqRedis):
    job = await queue.enqueue(HOLD)

    await until_running(queue, job.job_id)
    status = await queue.status(job.job_id)

    assert (status.task, status.attempt, status.ready) == ("hold", 1, False)
    assert status.started_at is not None
    await release(redis, job.job_id)
    assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED


@pytest.mark.usefixtures("worker")
async def test_a_deferred_job_starts_when_it_is_due(queue: TaskQueue):
    job = await queue.enqueue(SLEEP, defer_by=timedelta(seconds=0.4))

    status = await queue.wait(job.job_id, WAIT)

    assert status.started_at is not None
    assert status.enqueued_at is not None
    assert status.started_at - status.enqueued_at >= timedelta(seconds=0.4)


@pytest.mark.usefixtures("worker")
async def test_transient_error_is_retried(queue: TaskQueue):
    job = await queue.enqueue(FLAKY, arguments={"until": 2})
    much_later = await queue.enqueue(RETRY_MUCH_LATER)

    async def waits_for_its_next_try() -> bool:
        return (await queue.status(much_later.job_id)).status is JobStatus.RETRYING

    status = await queue.wait(job.job_id, WAIT)
    await until(waits_for_its_next_try)
    assert (status.status, status.result, status.attempt) == (JobStatus.SUCCEEDED, 2, 2)


@pytest.mark.usefixtures("worker")
async def test_transient_error_that_lasts_fails_after_the_last_try(queue: TaskQueue):
    job = await queue.enqueue(FLAKY, arguments={"until": 99})

    status = await queue.wait(job.job_id, WAIT)

    assert (status.status, status.attempt) == (JobStatus.FAILED, 3)
    assert status.error == JobError("database_unavailable", "not yet")


@pytest.mark.usefixtures("worker")
async def test_product_error_reaches_the_client_unchanged(queue: TaskQueue):
    job = await queue.enqueue(FAIL, arguments={"kind": "ours"})

    status = await queue.wait(job.job_id, WAIT)

    assert (status.status, status.result, status.attempt) == (JobStatus.FAILED, None, 1)
    assert status.error == JobError("not_found", "there is no such batch")


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("builtin", "ValueError"),
        ("unheard", "Unheard"),
        ("self-cancelled", "RuntimeError"),
        ("speechless", "Speechless"),
    ],
)
@pytest.mark.usefixtures("worker")
async def test_unexpected_error_reports_only_its_kind(queue: TaskQueue, kind: str, named: str):
    job = await queue.enqueue(FAIL, arguments={"kind": kind})

    status = await queue.wait(job.job_id, WAIT)

    assert status.error is not None
    assert status.error.code == "internal_error"
    assert named in status.error.message
    assert "hunter2" not in status.error.message
    assert "Traceback" not in status.error.message


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [({}, "a value of type object"), ({"size": codec.MAX_BYTES}, f"at most {codec.MAX_BYTES:,}")],
)
@pytest.mark.usefixtures("worker")
async def test_a_return_value_that_redis_cannot_store_fails_the_job_and_says_why(
    queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine, arguments: dict[str, object], reason: str
):
    job = await queue.enqueue(RETURN, arguments=arguments)

    status = await queue.wait(job.job_id, WAIT)

    assert (status.status, status.attempt) == (JobStatus.FAILED, 1)
    assert status.error is not None
    assert status.error.code == "invalid_input"
    assert status.error.message.startswith("the task's return value cannot be stored: ")
    assert reason in status.error.message
    (letter,) = await list_dead_letters(redis)
    assert (letter.job_id, letter.error_code) == (job.job_id, "invalid_input")

    async def recorded_as_failed() -> bool:
        async with AsyncSession(engine) as session:
            return [run.status for run in await list_attempts(session, job.job_id)] == [RunStatus.FAILED]

    await until(recorded_as_failed)


@pytest.mark.usefixtures("worker")
async def test_a_job_whose_arguments_leave_no_room_for_its_error_fails_and_is_not_retried(
    queue: TaskQueue, redis: ArqRedis
):
    # More than a client of ours may send.
    padding = "x" * (codec.MAX_BYTES - 100)
    job = await redis.enqueue_job(RETURN.name, padding=padding, _queue_name=keys.queue_key(RETURN.queue))
    assert job is not None

    status = await queue.wait(job.job_id, WAIT)
    (retried,) = await retry_jobs(queue, [job.job_id], source=JobSource())

    assert status.status is JobStatus.FAILED
    assert status.error is not None
    assert "a value of type object" in status.error.message
    assert retried.outcome is RetryOutcome.UNREADABLE


@pytest.mark.usefixtures("worker")
async def test_arq_client_reads_kind_and_traceback_of_an_unexpected_error(queue: TaskQueue, redis: ArqRedis):
    job = await queue.enqueue(FAIL, arguments={"kind": "unheard"})
    await queue.wait(job.job_id, WAIT)

    with pytest.raises(RemoteError) as caught:
        await Job(job.job_id, redis, _deserializer=codec.decode).result(timeout=120)

    assert caught.value.kind == "Unheard"
    assert "toy_tasks.py" in caught.value.traceback


@pytest.mark.usefixtures("worker")
async def test_a_task_that_runs_too_long_ends_with_a_timeout(queue: TaskQueue):
    job = await queue.enqueue(HASTY)

    status = await queue.wait(job.job_id, WAIT)

    assert status.status is JobStatus.FAILED
    assert status.error == JobError("timeout", "the task was still running after 0.1 s, and was cancelled")


@pytest.mark.usefixtures("worker")
async def test_a_running_job_can_be_aborted_as_arq_does_it(queue: TaskQueue, redis: ArqRedis):
    job = await queue.enqueue(SLEEP, arguments={"seconds": 60})
    await until_running(queue, job.job_id)

    arq_job = Job(job.job_id, redis, _queue_name=keys.queue_key(job.queue), _deserializer=codec.decode)
    aborted = await arq_job.abort(timeout=120, poll_delay=0.02)

    status = await queue.status(job.job_id)
    assert aborted
    assert (status.status, status.ready) == (JobStatus.REVOKED, True)
    assert status.error == JobError("revoked", "the job was revoked")


async def test_jobs_that_a_plain_arq_client_enqueues_run_too(
    queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    job = await redis.enqueue_job("add", left="1", _queue_name=keys.queue_key(Queue.DISCOUNTS))
    assert job is not None
    before = await queue.status(job.job_id)

    async with running(settings):
        after = await queue.wait(job.job_id, WAIT)

    assert (before.status, before.task, before.queue) == (JobStatus.QUEUED, "add", Queue.DISCOUNTS)
    assert (after.status, after.task, after.result) == (JobStatus.SUCCEEDED, "add", Decimal(2))
    assert before.enqueued_at == after.enqueued_at


@pytest.mark.usefixtures("worker")
async def test_job_that_cannot_run_fails_with_the_reason(queue: TaskQueue, redis: ArqRedis):
    misused = await redis.enqueue_job("add", 1, _queue_name=keys.queue_key(Queue.DISCOUNTS))
    await redis.set(keys.job_key("garbled"), b"rubbish")
    await redis.zadd(keys.queue_key(Queue.DISCOUNTS), {"garbled": 1})
    assert misused is not None

    errors = {job_id: (await queue.wait(job_id, WAIT)).error for job_id in (misused.job_id, "garbled")}

    assert [error.code for error in errors.values() if error] == ["invalid_input", "corrupt_message"]


async def test_worker_runs_no_more_jobs_than_its_concurrency(queue: TaskQueue, settings: Settings):
    jobs = [await queue.enqueue(SLEEP, arguments={"seconds": 0.1}) for _ in range(6)]

    async with running(settings.model_copy(update={"worker_concurrency": 2, "worker_prefetch": 1})):
        statuses = [await queue.wait(job.job_id, WAIT) for job in jobs]

    events = sorted(
        event
        for status in statuses
        for event in ((status.started_at, 1), (status.finished_at - timedelta(milliseconds=1), -1))
    )
    at_once = [sum(step for _, step in events[: index + 1]) for index in range(len(events))]
    assert max(at_once) == 2


async def test_a_worker_finds_free_jobs_behind_those_that_others_run(queue: TaskQueue, settings: Settings):
    narrow = settings.model_copy(
        update={"worker_concurrency": 2, "worker_prefetch": 1, "worker_grace": timedelta(0)}
    )
    async with running(narrow), running(narrow):
        slow = [await queue.enqueue(HOLD) for _ in range(3)]
        for job in slow:
            await until_running(queue, job.job_id)

        quick = await queue.enqueue(ADD, arguments={"left": 1})

        assert (await queue.wait(quick.job_id, WAIT)).ready


async def test_a_worker_narrowed_to_a_queue_leaves_the_others_alone(queue: TaskQueue, settings: Settings):
    theirs = await queue.enqueue(SLEEP_ELSEWHERE)
    ours = await queue.enqueue(ADD, arguments={"left": 1})

    async with running(settings.model_copy(update={"worker_queues": (Queue.DISCOUNTS,)})):
        assert (await queue.wait(ours.job_id, WAIT)).status is JobStatus.SUCCEEDED

    assert (await queue.status(theirs.job_id)).status is JobStatus.QUEUED


async def test_live_workers_report_queues_tasks_and_concurrency(queue: TaskQueue, settings: Settings):
    assert await queue.live_workers() == ()

    async with running(settings.model_copy(update={"worker_queues": (Queue.MAINTENANCE,)})):
        await until_live(queue)
        (worker,) = await queue.live_workers()

    assert worker.queues == (Queue.MAINTENANCE,)
    assert worker.tasks == ("sleep_elsewhere", "hold_elsewhere")
    assert worker.concurrency == settings.worker_concurrency
    assert await queue.live_workers() == ()
