"""Workers as processes under arq's own command: how they stop, and why they do not start."""

import asyncio
import signal
from datetime import timedelta

import pytest
from arq.connections import ArqRedis

from flexiprice.jobs import keys
from flexiprice.jobs.client import TaskQueue
from flexiprice.jobs.status import RunStatus
from flexiprice.settings import Queue, Settings
from tests import servers
from tests.workers.conftest import StartWorker, end_of, until_live, until_running
from tests.workers.toy_tasks import SLEEP, SLEEP_ELSEWHERE

WAIT = timedelta(seconds=20)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_an_idle_worker_stops_at_once_in_good_order(
    start_worker: StartWorker, queue: TaskQueue, signum: signal.Signals
):
    worker = start_worker()
    await until_live(queue)

    worker.send_signal(signum)
    code, said = await end_of(worker, seconds=5)

    assert code == 0
    assert "worker stopped" in said
    assert "Traceback" not in said
    assert await queue.live_workers() == ()


async def test_running_jobs_end_within_the_grace_and_waiting_ones_are_left(
    start_worker: StartWorker, queue: TaskQueue
):
    worker = start_worker(worker_concurrency="1")
    running = await queue.enqueue(SLEEP, arguments={"seconds": 2.0})
    elsewhere = await queue.enqueue(SLEEP_ELSEWHERE, arguments={"seconds": 2.0})
    waiting = await queue.enqueue(SLEEP)
    await until_running(queue, running.job_id, elsewhere.job_id)

    worker.send_signal(signal.SIGTERM)
    code, _ = await end_of(worker)

    statuses = [(await queue.status(job.job_id)).status for job in (running, elsewhere, waiting)]
    assert statuses == [RunStatus.SUCCEEDED, RunStatus.SUCCEEDED, RunStatus.QUEUED]
    assert code == 0


async def test_what_does_not_end_within_the_grace_is_handed_back_and_runs_elsewhere_at_once(
    start_worker: StartWorker, queue: TaskQueue
):
    stopping = start_worker(worker_grace="0.2")
    job = await queue.enqueue(SLEEP, arguments={"seconds": 1.5})
    await until_running(queue, job.job_id)
    other = start_worker()
    await until_live(queue, workers=2)

    stopping.send_signal(signal.SIGTERM)
    code, _ = await end_of(stopping)
    status = await queue.wait(job.job_id, timedelta(seconds=4))

    assert code == 0
    assert status.status is RunStatus.SUCCEEDED
    # The first try was the worker's to lose, not the job's.
    assert (status.result, status.attempt) == (1, 1)
    assert other.poll() is None


async def test_a_second_signal_does_not_wait_for_the_grace(start_worker: StartWorker, queue: TaskQueue):
    worker = start_worker()
    job = await queue.enqueue(SLEEP, arguments={"seconds": 60})
    await until_running(queue, job.job_id)

    worker.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.3)
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    code, _ = await end_of(worker, seconds=5)

    status = await queue.status(job.job_id)
    assert code == 0
    assert (status.status, status.attempt, status.started_at) == (RunStatus.QUEUED, 0, None)


async def test_a_worker_of_which_a_part_fails_ends_and_says_so(
    start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis
):
    worker = start_worker()
    await until_live(queue)

    await redis.set(keys.queue_key(Queue.ANALYTICS), "no queue")
    code, said = await end_of(worker)

    assert code == 1
    assert "consumer of analytics" in said


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
