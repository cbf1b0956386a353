"""Jobs of workers that die or freeze run on another worker and take effect once."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from arq.connections import ArqRedis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from flexiprice.cli.doctor.checks import Health, check_everything
from flexiprice.queue.admin.dead_letters import list_dead_letters
from flexiprice.queue.admin.metrics_snapshot import take_snapshot
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.queue.status import JobStatus
from flexiprice.queue.worker.dead_letter_records import DeadLetterReason
from flexiprice.queue.worker.losses import MAX_LONE_LOSSES
from flexiprice.settings import Settings, load_settings
from tests.support.toy_tasks import BLOCK, EFFECT, HOLD, POISON, SLEEP, release
from tests.support.waiting import until
from tests.support.workers import StartWorker, end_of, until_draining, until_live, until_running

WAIT = timedelta(seconds=120)
# For tests with several workers, one after the other.
LATER = timedelta(seconds=300)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, for the effects."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


@pytest.fixture(autouse=True)
async def effects_table(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text("CREATE TABLE effects (id int GENERATED ALWAYS AS IDENTITY, job_id text, worker text)")
        )
        await connection.execute(text("CREATE TABLE attempts (job_id text)"))


async def effects(engine: AsyncEngine) -> list[tuple[str, str]]:
    async with engine.begin() as connection:
        rows = await connection.execute(text("SELECT job_id, worker FROM effects ORDER BY id"))
        return [(row.job_id, row.worker) for row in rows]


async def owner_of(redis: ArqRedis, job_id: str) -> str:
    return (await redis.get(keys.in_progress_key(job_id)) or b"").decode()


def pid_of(worker_id: str) -> int:
    return int(worker_id.split(":")[1])


@asynccontextmanager
async def kept_running(start: StartWorker, count: int) -> AsyncIterator[list[subprocess.Popen[str]]]:
    """Workers that are replaced when they die; yields all that were started."""
    workers = [start() for _ in range(count)]

    async def follow() -> None:
        while True:
            if sum(worker.poll() is None for worker in workers) < count:
                workers.append(start())
            await asyncio.sleep(0.05)

    following = asyncio.create_task(follow())
    try:
        yield workers
    finally:
        await cancel_and_wait(following)


@pytest.fixture
async def two(start_worker: StartWorker, queue: TaskQueue) -> dict[int, subprocess.Popen[str]]:
    """Two workers by their process ids."""
    workers = [start_worker(), start_worker()]
    await until_live(queue, workers=2)
    return {worker.pid: worker for worker in workers}


async def test_job_of_killed_worker_runs_on_another_and_takes_effect_once(
    two: dict[int, subprocess.Popen[str]], queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    job = await queue.enqueue(EFFECT, arguments={"held": True})
    await until_running(queue, job.job_id)
    killed = await owner_of(redis, job.job_id)
    two[pid_of(killed)].kill()
    await release(redis, job.job_id)

    status = await queue.wait(job.job_id, WAIT)

    assert (status.status, status.attempt) == (JobStatus.SUCCEEDED, 1)
    ((job_id, worker),) = await effects(engine)
    assert (job_id, worker != killed) == (job.job_id, True)


async def test_worker_that_starts_alone_runs_the_jobs_of_the_killed_one(
    start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    first = start_worker()
    job = await queue.enqueue(EFFECT, arguments={"held": True})
    await until_running(queue, job.job_id)
    first.kill()
    await asyncio.to_thread(first.wait)
    await release(redis, job.job_id)
    start_worker()

    status = await queue.wait(job.job_id, WAIT)

    assert status.status is JobStatus.SUCCEEDED
    assert len(await effects(engine)) == 1


async def test_frozen_worker_commits_nothing_and_continues_under_another_id(
    two: dict[int, subprocess.Popen[str]], queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    job = await queue.enqueue(EFFECT, arguments={"held": True})
    await until_running(queue, job.job_id)
    paused = await owner_of(redis, job.job_id)
    process = two[pid_of(paused)]
    process.send_signal(signal.SIGSTOP)
    await release(redis, job.job_id)

    status = await queue.wait(job.job_id, WAIT)
    process.send_signal(signal.SIGCONT)

    async def is_back() -> bool:
        workers = await queue.live_workers()
        return any(worker.pid == process.pid and worker.worker_id != paused for worker in workers)

    await until(is_back)
    assert status.status is JobStatus.SUCCEEDED
    ((_, worker),) = await effects(engine)
    assert worker != paused
    assert await queue.status(job.job_id) == status
    for other in [other for pid, other in two.items() if pid != process.pid]:
        other.kill()
    later = await queue.enqueue(EFFECT)
    assert (await queue.wait(later.job_id, WAIT)).status is JobStatus.SUCCEEDED


async def test_committed_job_that_was_not_acknowledged_takes_effect_once(
    two: dict[int, subprocess.Popen[str]], queue: TaskQueue, engine: AsyncEngine
):
    job = await queue.enqueue(EFFECT, arguments={"deaths": 1})

    status = await queue.wait(job.job_id, WAIT)

    assert (status.status, status.result) == (JobStatus.SUCCEEDED, "effect 1")
    assert [job_id for job_id, _ in await effects(engine)] == [job.job_id]
    assert sorted(worker.poll() for worker in two.values() if worker.poll() is not None) == [-9]


async def test_job_that_kills_three_workers_alone_becomes_a_dead_letter(
    start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine, settings: Settings
):
    job = await queue.enqueue(POISON)
    async with kept_running(start_worker, 1) as workers:
        status = await queue.wait(job.job_id, LATER)

    assert status.status is JobStatus.FAILED
    assert status.error is not None
    assert status.error.code == "worker_lost"
    assert [worker.poll() for worker in workers].count(-9) == 3
    (letter,) = await list_dead_letters(redis)
    assert (letter.job_id, letter.reason, letter.losses) == (job.job_id, DeadLetterReason.GIVEN_UP, 3)
    assert "3 workers died" in letter.message

    async def is_recorded() -> bool:
        async with engine.connect() as connection:
            found = await connection.execute(
                text("SELECT error_message FROM task_runs WHERE job_id = :id AND status = 'failed'"),
                {"id": job.job_id},
            )
            return [row.error_message for row in found] == [letter.message]

    await until(is_recorded)
    findings = await check_everything(settings)
    assert [finding.health for finding in findings if finding.subject == "tasks"] == [Health.WARNING]
    metrics = (await take_snapshot(queue, now=datetime.now(UTC))).dead_letters
    assert metrics["given_up"] == 1


async def test_jobs_beside_one_that_kills_its_workers_are_done_and_never_dead_letters(
    start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    # They wait before there is a worker, so that the first takes all of them at once.
    innocents = [await queue.enqueue(EFFECT, arguments={"held": True}) for _ in range(4)]
    poison = await queue.enqueue(POISON)
    innocents += [await queue.enqueue(EFFECT, arguments={"held": True}) for _ in range(4)]
    async with kept_running(start_worker, 1) as workers:

        async def has_died() -> bool:
            return workers[0].poll() is not None

        await until(has_died)
        await release(redis, *(job.job_id for job in innocents))
        for job in innocents:
            assert (await queue.wait(job.job_id, LATER)).status is JobStatus.SUCCEEDED
        status = await queue.wait(poison.job_id, LATER)

    assert status.status is JobStatus.FAILED
    # Three died of it alone; one or two before, with the others.
    assert [worker.poll() for worker in workers].count(-9) in {4, 5}
    assert sorted(job_id for job_id, _ in await effects(engine)) == sorted(job.job_id for job in innocents)
    assert [letter.job_id for letter in await list_dead_letters(redis)] == [poison.job_id]


async def test_job_whose_workers_freeze_again_and_again_is_never_a_dead_letter(
    two: dict[int, subprocess.Popen[str]], queue: TaskQueue, redis: ArqRedis, engine: AsyncEngine
):
    job = await queue.enqueue(EFFECT, arguments={"held": True})
    for _ in range(MAX_LONE_LOSSES + 1):
        await until_running(queue, job.job_id)
        frozen = await owner_of(redis, job.job_id)
        process = two[pid_of(frozen)]
        process.send_signal(signal.SIGSTOP)

        async def is_elsewhere(frozen: str = frozen) -> bool:
            return await owner_of(redis, job.job_id) not in {"", frozen}

        await until(is_elsewhere)
        process.send_signal(signal.SIGCONT)

        async def is_exonerated(frozen: str = frozen) -> bool:
            return await redis.exists(keys.exonerated_key(frozen)) == 1

        await until(is_exonerated)

    await release(redis, job.job_id)
    assert (await queue.wait(job.job_id, LATER)).status is JobStatus.SUCCEEDED
    assert [job_id for job_id, _ in await effects(engine)] == [job.job_id]


async def test_the_loss_of_a_worker_that_a_job_blocks_counts_against_the_job(
    start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis
):
    start_worker()
    job = await queue.enqueue(BLOCK, arguments={"seconds": 4})
    await until_running(queue, job.job_id)
    blocked = await owner_of(redis, job.job_id)
    # As another worker declares it, once it has been silent for too long.
    await redis.zrem(keys.WORKERS, blocked)
    await redis.zadd(keys.LOST_WORKERS, {blocked: 1})

    async def is_counted() -> bool:
        return await redis.hget(keys.record_key(job.job_id), "lone_losses") == b"1"

    await until(is_counted)
    assert not await redis.exists(keys.exonerated_key(blocked))


async def test_a_worker_that_is_told_to_drain_ends_when_its_jobs_have(
    start_worker: StartWorker, queue: TaskQueue, redis: ArqRedis
):
    worker = start_worker(worker_grace="0")
    job = await queue.enqueue(HOLD)
    await until_running(queue, job.job_id)
    (live,) = await queue.live_workers()

    await redis.set(keys.worker_command_key(live.worker_id), "drain")
    await until_draining(queue)
    await release(redis, job.job_id)
    code, said = await end_of(worker)

    assert code == 0
    assert "worker_command_received" in said
    assert (await queue.status(job.job_id)).status is JobStatus.SUCCEEDED


async def test_worker_without_a_supervisor_works_on_beyond_its_recycling_limit(
    start_worker: StartWorker, queue: TaskQueue
):
    worker = start_worker(worker_max_tasks="3", worker_concurrency="1")
    jobs = [await queue.enqueue(SLEEP) for _ in range(20)]

    for job in jobs:
        assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    code, said = await end_of(worker)

    assert code == 0
    assert "worker_not_recycled" in said
