"""Workers as processes of arq's own command: shutdown, and reasons not to start."""

import signal
from datetime import timedelta

import pytest
from arq.connections import ArqRedis

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Settings
from tests.support import servers
from tests.support.toy_tasks import HOLD, HOLD_ELSEWHERE, SLEEP, release
from tests.support.workers import StartWorker, end_of, until_draining, until_live, until_running

WAIT = timedelta(seconds=120)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_idle_worker_stops_at_once_with_exit_code_zero(
    start_worker: StartWorker, queue: TaskQueue, signum: signal.Signals
):
    worker = start_worker()
    await until_live(queue)

    worker.send_signal(signum)
    code, said = await end_of(worker)

    assert code == 0
    assert "worker_stopped" in said
    assert "Traceback" not in said
    assert await queue.live_workers() == ()


async def test_running_jobs_end_within_the_grace_and_waiting_ones_are_left(
    start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis
):
    worker = start_worker(worker_concurrency="1", worker_grace="3600")
    running = await queue.enqueue(HOLD)
    elsewhere = await queue.enqueue(HOLD_ELSEWHERE)
    await until_running(queue, running.job_id, elsewhere.job_id)
    # Only now: of two jobs that are due in the same millisecond, either may run first.
    waiting = await queue.enqueue(SLEEP)

    worker.send_signal(signal.SIGTERM)
    await until_draining(queue)
    await release(redis, running.job_id, elsewhere.job_id)
    code, _ = await end_of(worker)

    statuses = [(await queue.status(job.job_id)).status for job in (running, elsewhere, waiting)]
    assert statuses == [JobStatus.SUCCEEDED, JobStatus.SUCCEEDED, JobStatus.QUEUED]
    assert code == 0


async def test_job_that_outlasts_the_grace_is_released_and_runs_on_another_worker_at_once(
    start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis
):
    stopping = start_worker(worker_grace="0.2")
    job = await queue.enqueue(HOLD)
    await until_running(queue, job.job_id)
    other = start_worker()
    await until_live(queue, workers=2)

    stopping.send_signal(signal.SIGTERM)
    code, _ = await end_of(stopping)
    await release(redis, job.job_id)
    status = await queue.wait(job.job_id, WAIT)

    assert code == 0
    assert status.status is JobStatus.SUCCEEDED
    # The interrupted try does not count.
    assert (status.result, status.attempt) == (1, 1)
    assert other.poll() is None


async def test_a_second_signal_does_not_wait_for_the_grace(start_worker: StartWorker, queue: TaskQueue):
    # Longer than the test would wait.
    worker = start_worker(worker_grace="3600")
    job = await queue.enqueue(HOLD)
    await until_running(queue, job.job_id)

    worker.send_signal(signal.SIGTERM)
    await until_draining(queue)
    worker.send_signal(signal.SIGTERM)
    code, _ = await end_of(worker)

    status = await queue.status(job.job_id)
    assert code == 0
    assert (status.status, status.attempt, status.started_at) == (JobStatus.QUEUED, 0, None)


async def test_worker_whose_background_task_fails_ends_and_says_so(start_worker: StartWorker):
    code, said = await end_of(start_worker("tests.support.broken_worker"))

    assert code == 1
    assert "background_task_failed" in said
    assert "RuntimeError: a defect" in said


async def test_a_database_without_our_tables_ends_the_start_in_plain_words(
    start_worker: StartWorker, empty_database_url: str
):
    code, said = await end_of(start_worker(database_url=empty_database_url))

    assert code == 1
    assert "run `flexiprice migrate`" in said
    assert "Traceback" not in said


async def test_a_database_that_refuses_us_ends_the_start_in_plain_words(
    start_worker: StartWorker, settings: Settings
):
    nowhere = servers.with_database(settings.require_database_url(), "no_such_database")

    code, said = await end_of(start_worker(database_url=nowhere))

    assert code == 1
    assert "FLEXIPRICE_DATABASE_URL" in said
    assert "Traceback" not in said


async def test_a_redis_that_refuses_us_ends_the_start_in_plain_words(
    start_worker: StartWorker, settings: Settings
):
    url = settings.require_redis_url()
    wrong_database = f"{url.rpartition('/')[0]}/99999"

    code, said = await end_of(start_worker(redis_url=wrong_database))

    assert code == 1
    assert "flexiprice: FLEXIPRICE_REDIS_URL" in said
    assert "Traceback" not in said
