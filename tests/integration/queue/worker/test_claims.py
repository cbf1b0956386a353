"""Claims of jobs that may have killed a worker: such a suspect runs alone, and other jobs continue."""

from collections.abc import Sequence

import pytest
from arq.connections import ArqRedis
from arq.utils import timestamp_ms

from flexiprice.errors import WorkerLost
from flexiprice.queue.admin.queues import get_queue
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.redis.scripts import LOOKED_AT
from flexiprice.queue.worker import losses
from flexiprice.queue.worker.claimed_job import ClaimedJob, jobs_running_on
from flexiprice.queue.worker.claims import JobClaims
from flexiprice.queue.worker.losses import Loss
from flexiprice.queue.worker.outcomes import Lost, Succeeded
from flexiprice.queue.worker.run_info import RunInfo
from flexiprice.settings import Queue, Settings
from tests.support.toy_tasks import SLEEP, SLEEP_ELSEWHERE

TASKS = (SLEEP.name, SLEEP_ELSEWHERE.name)


class Worker:
    """A worker whose lease is fresh, and that does nothing by itself."""

    def __init__(self, redis: ArqRedis, settings: Settings, worker_id: str) -> None:
        self.worker_id = worker_id
        self.redis = redis
        self.claims = JobClaims(redis, settings, worker_id=worker_id)
        self.held: dict[str, ClaimedJob] = {}

    async def take(self, queue: Queue = SLEEP.queue, room: int = 10, window: int = 40) -> list[str]:
        held = [job_id for job_id, job in self.held.items() if job.queue is queue]
        await self.redis.zadd(keys.WORKERS, {self.worker_id: timestamp_ms()})
        taken = await self.claims.take(queue, room=room, window=window, held=held, tasks=TASKS)
        self.held |= {job.job_id: job for job in taken.jobs}
        return [job.job_id for job in taken.jobs]

    async def end(self, *job_ids: str) -> None:
        for job_id in job_ids:
            job = self.held.pop(job_id)
            assert await self.claims.release(job, RunInfo.of(job), Succeeded(None), finished_ms=job.now_ms())

    async def die(self) -> None:
        """And be reaped."""
        jobs = await jobs_running_on(self.redis, self.worker_id)
        loss = await losses.judge_loss(self.redis, self.worker_id, running=len(jobs))
        for job in jobs:
            assert await self.give_back(job, loss)
        await self.redis.zrem(keys.WORKERS, self.worker_id)
        await self.redis.delete(keys.loss_key(self.worker_id))
        self.held = {}

    async def give_back(self, job: ClaimedJob, loss: Loss) -> bool:
        outcome = Lost(WorkerLost("died"), loss)
        return await self.claims.release(job, RunInfo.of(job), outcome, finished_ms=job.now_ms())


@pytest.fixture
async def worker(redis: ArqRedis, settings: Settings) -> Worker:
    return Worker(redis, settings, "a-worker")


@pytest.fixture
async def other(redis: ArqRedis, settings: Settings) -> Worker:
    return Worker(redis, settings, "another-worker")


async def enqueue(queue: TaskQueue, *job_ids: str, task=SLEEP) -> None:
    for job_id in job_ids:
        await queue.enqueue(task, job_id=job_id)


async def suspect(queue: TaskQueue, redis: ArqRedis, *job_ids: str, task=SLEEP) -> None:
    await enqueue(queue, *job_ids, task=task)
    for job_id in job_ids:
        await redis.hset(keys.record_key(job_id), mapping={"suspect": "always", "losses": "1"})


async def record_of(redis: ArqRedis, job_id: str) -> dict[str, str]:
    record = await redis.hgetall(keys.record_key(job_id))
    return {name.decode(): value.decode() for name, value in record.items()}


async def test_a_worker_that_runs_nothing_takes_a_suspect_and_nothing_beside_it(
    worker: Worker, other: Worker, queue: TaskQueue, redis: ArqRedis
):
    await suspect(queue, redis, "1 suspect")
    await enqueue(queue, "2")
    await enqueue(queue, "3 elsewhere", task=SLEEP_ELSEWHERE)

    assert await worker.take() == ["1 suspect"]
    assert await worker.take() == []
    assert await worker.take(SLEEP_ELSEWHERE.queue) == []
    assert await other.take() == ["2"]
    await worker.end("1 suspect")
    assert await worker.take(SLEEP_ELSEWHERE.queue) == ["3 elsewhere"]


async def test_a_worker_that_runs_something_lets_it_end_for_a_suspect_and_the_others_go_on(
    worker: Worker, other: Worker, queue: TaskQueue, redis: ArqRedis
):
    await enqueue(queue, "0")
    await enqueue(queue, "0 elsewhere", task=SLEEP_ELSEWHERE)
    assert await worker.take() == ["0"]
    assert await other.take(SLEEP_ELSEWHERE.queue) == ["0 elsewhere"]
    await suspect(queue, redis, "1 suspect")
    await enqueue(queue, "2", "3")
    await enqueue(queue, "4 elsewhere", task=SLEEP_ELSEWHERE)

    assert await worker.take() == []
    assert await worker.take(SLEEP_ELSEWHERE.queue) == []
    assert await other.take(room=1) == ["2"]
    await worker.end("0")
    assert await worker.take() == ["1 suspect"]
    assert await other.take() == ["3"]
    await worker.end("1 suspect")
    assert await worker.take(SLEEP_ELSEWHERE.queue) == ["4 elsewhere"]


async def test_an_idle_worker_runs_the_suspect_for_which_another_lets_its_jobs_end(
    worker: Worker, other: Worker, queue: TaskQueue, redis: ArqRedis
):
    await enqueue(queue, "0")
    assert await worker.take() == ["0"]
    await suspect(queue, redis, "1 suspect")
    await enqueue(queue, "2")
    assert await worker.take() == []

    assert await other.take() == ["1 suspect"]
    assert await worker.take() == ["2"]


async def test_a_long_job_keeps_neither_the_suspect_nor_the_queue_waiting_for_good(
    worker: Worker, queue: TaskQueue, redis: ArqRedis
):
    await enqueue(queue, "0 long")
    assert await worker.take() == ["0 long"]
    await suspect(queue, redis, "1 suspect")
    await enqueue(queue, "2")
    assert await worker.take() == []
    # As after its timeout.
    await redis.hset(keys.record_key("1 suspect"), "drain_until", "1")

    assert await worker.take() == ["2"]
    lasts = float((await record_of(redis, "1 suspect"))["drain_again"]) - timestamp_ms()
    assert 0 < lasts <= 10_000
    await redis.hset(keys.record_key("1 suspect"), "drain_again", "1")
    await enqueue(queue, "3")
    assert await worker.take() == []
    assert float((await record_of(redis, "1 suspect"))["drain_until"]) - timestamp_ms() > 5_000
    await worker.end("0 long", "2")
    assert await worker.take() == ["1 suspect"]


async def test_a_worker_that_dies_while_it_lets_its_jobs_end_holds_up_no_suspect(
    worker: Worker, other: Worker, queue: TaskQueue, redis: ArqRedis
):
    await enqueue(queue, "0", "00")
    assert await worker.take(room=1) == ["0"]
    assert await other.take() == ["00"]
    await suspect(queue, redis, "1 suspect")
    assert await worker.take() == []
    await redis.delete(keys.lone_key(worker.worker_id))
    await redis.hset(keys.record_key("1 suspect"), "drain_again", "1")

    assert await other.take() == []
    await other.end("00")
    assert await other.take() == ["1 suspect"]


async def test_jobs_of_dead_worker_are_suspects_and_only_lone_losses_count(
    worker: Worker, queue: TaskQueue, redis: ArqRedis
):
    await enqueue(queue, "1", "2")
    assert await worker.take() == ["1", "2"]
    await worker.die()

    for job_id in ("1", "2"):
        record = await record_of(redis, job_id)
        assert (record["losses"], record.get("lone_losses")) == ("1", None)
        assert timestamp_ms() < int(record["suspect"]) <= timestamp_ms() + 3_000
    assert await worker.take() == ["1"]
    await worker.die()
    record = await record_of(redis, "1")
    assert (record["suspect"], record["lone_losses"]) == ("always", "1")
    assert "lone_losses" not in await record_of(redis, "2")


async def test_job_lost_beside_others_is_a_suspect_for_a_moment_and_after_two_for_good(
    worker: Worker, queue: TaskQueue, redis: ArqRedis
):
    await enqueue(queue, "1", "2")
    await worker.take()
    await worker.die()
    for job_id in ("1", "2"):
        # As after that moment.
        await redis.hset(keys.record_key(job_id), "suspect", "1")

    assert await worker.take() == ["1", "2"]
    await worker.die()
    assert {(await record_of(redis, job_id))["suspect"] for job_id in ("1", "2")} == {"always"}
    assert await worker.take() == ["1"]


async def test_reaper_that_takes_over_from_a_dead_one_counts_no_loss_as_lone(
    worker: Worker, queue: TaskQueue, redis: ArqRedis
):
    await enqueue(queue, "1", "2")
    await worker.take()
    jobs = await jobs_running_on(redis, worker.worker_id)
    loss = await losses.judge_loss(redis, worker.worker_id, running=len(jobs))
    assert await worker.give_back(jobs[0], loss)

    left = await jobs_running_on(redis, worker.worker_id)
    assert len(left) == 1
    assert await losses.judge_loss(redis, worker.worker_id, running=len(left)) is Loss.BESIDE


@pytest.mark.parametrize("reaped_first", [True, False])
async def test_the_jobs_of_a_worker_that_was_only_frozen_are_not_suspects(
    reaped_first: bool, worker: Worker, queue: TaskQueue, redis: ArqRedis
):
    await enqueue(queue, "1")
    await worker.take()
    if reaped_first:
        await worker.die()
        assert (await record_of(redis, "1"))["lone_losses"] == "1"
    await losses.exonerate(redis, worker.worker_id, ["1"])
    if not reaped_first:
        await worker.die()

    record = await record_of(redis, "1")
    assert record["losses"] == "1"
    assert record.get("lone_losses", "0") == "0"
    assert not {"suspect", f"loss:{worker.worker_id}"} & set(record)
    assert await redis.zcard(keys.RECENT_DEATHS) == 0


async def test_three_lone_losses_are_one_too_many_unless_others_die_as_well(
    worker: Worker, other: Worker, queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    await enqueue(queue, "1")
    for number in range(2):
        victim = Worker(redis, settings, f"victim-{number}")
        await victim.take()
        await victim.die()
    await worker.take()
    (job,) = await jobs_running_on(redis, worker.worker_id)
    loss = await losses.judge_loss(redis, worker.worker_id, running=1)

    assert await losses.is_to_be_given_up(redis, job, loss)
    assert not await losses.is_to_be_given_up(redis, job, Loss.BESIDE)
    assert not await losses.is_to_be_given_up(redis, job, Loss.EXONERATED)
    await losses.judge_loss(redis, other.worker_id, running=0)
    assert not await losses.is_to_be_given_up(redis, job, loss)
    await redis.hset(keys.record_key("1"), "lone_losses", losses.MAX_LONE_LOSSES_AMID_OTHERS - 1)
    (job,) = await jobs_running_on(redis, worker.worker_id)
    assert await losses.is_to_be_given_up(redis, job, loss)


async def test_jobs_of_an_unknown_worker_are_given_to_the_reaper(
    worker: Worker, other: Worker, queue: TaskQueue, redis: ArqRedis
):
    await enqueue(queue, "1")
    await other.take()
    await redis.zrem(keys.WORKERS, other.worker_id)
    await redis.delete(keys.running_key(other.worker_id))

    assert await worker.take() == []
    assert await redis.zscore(keys.LOST_WORKERS, other.worker_id) is not None
    assert [job.job_id for job in await jobs_running_on(redis, other.worker_id)] == ["1"]
    await redis.zrem(keys.LOST_WORKERS, other.worker_id)
    await other.die()
    assert await worker.take() == ["1"]


async def test_one_scan_is_bounded_and_the_next_continues_where_it_ended(
    worker: Worker, queue: TaskQueue, redis: ArqRedis
):
    foreign = {f"foreign-{number}": 1 for number in range(LOOKED_AT + 10)}
    await redis.zadd(keys.queue_key(SLEEP.queue), foreign)
    async with redis.pipeline(transaction=False) as pipe:
        for job_id in foreign:
            pipe.hset(keys.record_key(job_id), "task", "of_tomorrow")
        await pipe.execute()
    await enqueue(queue, "sound")
    await redis.zadd(keys.WORKERS, {worker.worker_id: timestamp_ms()})

    async def look(looked_at: int) -> tuple[Sequence[ClaimedJob], int | None, int]:
        taken = await worker.claims.take(
            SLEEP.queue, room=10, window=40, held=(), tasks=TASKS, looked_at=looked_at
        )
        return taken.jobs, taken.next_due_ms, taken.looked_at

    jobs, next_due_ms, looked_at = await look(0)
    assert (list(jobs), next_due_ms, looked_at) == ([], 0, LOOKED_AT)
    jobs, _, looked_at = await look(looked_at)
    assert ([job.job_id for job in jobs], looked_at) == (["sound"], 0)


async def test_counts_tell_waiting_deferred_and_running_jobs_apart(
    worker: Worker, queue: TaskQueue, redis: ArqRedis
):
    await enqueue(queue, "1", "2", "3")
    await worker.take(room=2)
    await redis.zadd(keys.queue_key(SLEEP.queue), {"4 later": timestamp_ms() + 60_000})

    state = await get_queue(queue, SLEEP.queue)

    assert (state.waiting, state.deferred, state.running) == (1, 1, 2)
    assert sorted(state.running_job_ids) == ["1", "2"]
    assert state.oldest_waiting is not None
