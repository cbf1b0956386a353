"""While Redis refuses commands for a time, workers wait, lose no job, and still stop."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from flexiprice.embedded.binaries import valkey_program
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Settings, load_settings
from tests.support.redis_not_ready import UnreadyRedis, unready_server
from tests.support.toy_tasks import ADD, SLEEP
from tests.support.waiting import until
from tests.support.workers import StartWorker, end_of, until_live, until_running

WAIT = timedelta(seconds=40)
# A worker that does not know better ends at the first of them; one that waits meets several a second.
REFUSALS = 20
KINDS = ["NOREPLICAS", "MISCONF", "MASTERDOWN", "READONLY", "OOM", "BUSY"]
PROGRAMS = {"valkey": str(valkey_program()), "redis": shutil.which("redis-server")}


@pytest.fixture(params=PROGRAMS)
def unready_redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UnreadyRedis]:
    """A Redis of the test's own."""
    program = PROGRAMS[request.param]
    if program is None:
        pytest.skip("needs redis-server: apt-get install redis-server")
    with unready_server(tmp_path, program=program) as server:
        yield server


@pytest.fixture
def settings(workers_database_url: str, unready_redis: UnreadyRedis) -> Settings:
    return load_settings(env_files=(), database_url=workers_database_url, redis_url=unready_redis.url)


async def until_refused_often(unready_redis: UnreadyRedis, kind: str) -> None:
    if kind == "BUSY":
        # A busy server reports no count of refusals; this is longer than a lease.
        await asyncio.sleep(4)
        return
    before = unready_redis.refusals(kind)

    async def refused() -> bool:
        return unready_redis.refusals(kind) >= before + REFUSALS

    await until(refused, seconds=60)


async def said_until(worker: "subprocess.Popen[str]", text: str) -> str:
    """The output of a worker up to a line with a text."""

    def read() -> str:
        assert worker.stderr is not None
        said = ""
        for line in worker.stderr:
            said += line
            if text in line:
                return said
        raise AssertionError(f"the worker ended:\n{said}")

    async with asyncio.timeout(60):
        return await asyncio.to_thread(read)


@pytest.mark.parametrize("kind", KINDS)
async def test_worker_waits_until_redis_accepts_its_commands(
    start_worker: StartWorker, queue: TaskQueue, unready_redis: UnreadyRedis, kind: str
):
    worker = start_worker(log_format="json")
    await until_live(queue)
    running = await queue.enqueue(SLEEP, arguments={"seconds": 1.0})
    waiting = await queue.enqueue(ADD, arguments={"left": 1}, defer_by=timedelta(seconds=2))
    await until_running(queue, running.job_id)

    with unready_redis.refusing(kind):
        # The client repeats a command by itself: many refusals may end before the worker learns of one.
        begun = await said_until(worker, "redis_not_ready")
        await until_refused_often(unready_redis, kind)
        assert worker.poll() is None

    statuses = [await queue.wait(job.job_id, WAIT) for job in (running, waiting)]
    later = await queue.enqueue(ADD, arguments={"left": 1})
    assert (await queue.wait(later.job_id, WAIT)).status is JobStatus.SUCCEEDED
    worker.send_signal(signal.SIGTERM)
    code, rest = await end_of(worker)
    said = begun + rest
    assert [(status.status, status.attempt) for status in statuses] == [(JobStatus.SUCCEEDED, 1)] * 2
    assert (code, said.count("Traceback")) == (0, 0)
    assert (said.count("redis_not_ready"), said.count("redis_recovered")) == (1, 1)
    # A replica without its master refuses reads as MASTERDOWN, but writes as READONLY: either comes first.
    assert kind in said or (kind == "MASTERDOWN" and "READONLY" in said)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_worker_that_waits_for_redis_still_stops_and_its_job_runs_on_another(
    start_worker: StartWorker, queue: TaskQueue, unready_redis: UnreadyRedis, kind: str
):
    worker = start_worker(worker_grace="0.5")
    await until_live(queue)
    job = await queue.enqueue(SLEEP, arguments={"seconds": 0.2})
    await until_running(queue, job.job_id)

    with unready_redis.refusing(kind):
        await until_refused_often(unready_redis, kind)
        worker.send_signal(signal.SIGTERM)
        code, said = await end_of(worker, seconds=40)

    assert (code, said.count("Traceback")) == (0, 0), said
    assert "worker_stopped" in said
    start_worker()
    assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED


@pytest.mark.parametrize("kind", KINDS)
async def test_worker_that_starts_while_redis_is_not_ready_waits_and_can_be_stopped(
    start_worker: StartWorker, queue: TaskQueue, unready_redis: UnreadyRedis, kind: str
):
    with unready_redis.refusing(kind):
        stopped, patient = start_worker(), start_worker()
        begun = [await said_until(worker, "redis_not_ready") for worker in (stopped, patient)]
        await until_refused_often(unready_redis, kind)
        assert (stopped.poll(), patient.poll()) == (None, None)
        stopped.send_signal(signal.SIGTERM)
        code, said = await end_of(stopped, seconds=40)
        assert (code, (begun[0] + said).count("Traceback")) == (0, 0)
        assert said.count("redis_not_ready") == 0

    job = await queue.enqueue(ADD, arguments={"left": 1})
    assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED
    assert patient.poll() is None


async def test_a_worker_warns_at_its_start_of_a_redis_that_drops_keys(
    start_worker: StartWorker, unready_redis: UnreadyRedis
):
    unready_redis.client.config_set("maxmemory-policy", "volatile-lru")
    worker = start_worker()
    said = await said_until(worker, "redis_evicts_keys")
    assert "volatile-lru" in said
    assert "noeviction" in said
