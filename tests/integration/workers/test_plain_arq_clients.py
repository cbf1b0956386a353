"""Jobs that plain arq clients send to the default queue: run where safe, refused where the sender sees it."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from arq.connections import ArqRedis
from arq.jobs import DeserializationError, SerializationError
from arq.jobs import JobStatus as ArqJobStatus
from redis.asyncio import ConnectionPool

from flexiprice.cli.doctor.checks import check_redis
from flexiprice.queue.admin.revoke import RevokeOutcome, revoke_jobs
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.default_queue import count_unrouted
from flexiprice.queue.redis import codec, keys
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Queue, Settings
from tests.support.waiting import until
from tests.support.workers import running

WAIT = timedelta(seconds=30)

Client = Callable[..., ArqRedis]


def to_json(message: object) -> bytes:
    return json.dumps(message).encode()


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    """Makes clients as arq's `create_pool` does; pickle is arq's own default."""
    made: list[ArqRedis] = []

    def make(**serializers: object) -> ArqRedis:
        pool = ConnectionPool.from_url(settings.require_redis_url())
        made.append(ArqRedis(pool, **serializers))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for redis in made:
        await redis.aclose(close_connection_pool=True)


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[None]:
    async with running(settings):
        yield


@pytest.fixture(autouse=True)
async def nothing_left(redis: ArqRedis) -> AsyncIterator[None]:
    yield
    await redis.delete(keys.DEFAULT_QUEUE, keys.QUARANTINE, keys.BAD_ENTRIES)


@pytest.mark.usefixtures("worker")
async def test_job_of_documented_serializer_runs_and_its_sender_gets_the_result(
    client: Client, redis: ArqRedis
):
    sender = client(job_serializer=codec.encode, job_deserializer=codec.decode)

    job = await sender.enqueue_job("add", left="1.50")

    assert job is not None
    assert await job.result(timeout=30, poll_delay=0.02) == Decimal("2.50")
    assert await job.status() is ArqJobStatus.complete
    assert await redis.zcard(keys.DEFAULT_QUEUE) == 0


@pytest.mark.usefixtures("worker")
async def test_job_sent_as_json_gets_its_result_as_json(client: Client):
    sender = client(job_serializer=to_json, job_deserializer=json.loads)

    job = await sender.enqueue_job("add", left="1.50")

    assert job is not None
    assert await job.result(timeout=30, poll_delay=0.02) == "2.50"


@pytest.mark.usefixtures("worker")
async def test_failure_of_a_job_sent_as_json_reaches_its_sender_and_our_status(
    client: Client, queue: TaskQueue
):
    sender = client(job_serializer=to_json, job_deserializer=json.loads)

    job = await sender.enqueue_job("add", left="rubbish")

    assert job is not None
    with pytest.raises(SerializationError, match="left"):
        await job.result(timeout=30, poll_delay=0.02)
    status = await queue.status(job.job_id)
    assert status.error is not None
    assert (status.status, status.error.code) == (JobStatus.FAILED, "invalid_input")


@pytest.mark.usefixtures("worker")
async def test_pickled_job_is_refused_where_sender_and_operator_see_it(
    client: Client, queue: TaskQueue, redis: ArqRedis
):
    sender = client()

    job = await sender.enqueue_job("add", left="1.50")

    assert job is not None
    status = await queue_status_when_ended(queue, job.job_id)
    assert status.error is not None
    assert status.status is JobStatus.FAILED
    assert "pickle" in status.error.message
    assert "job_serializer=codec.encode" in status.error.message
    with pytest.raises(DeserializationError):
        await job.result(timeout=30, poll_delay=0.02)
    assert await redis.hexists(keys.QUARANTINE, job.job_id)


@pytest.mark.usefixtures("worker")
async def test_positional_arguments_are_refused_with_the_names_to_use(client: Client, queue: TaskQueue):
    sender = client(job_serializer=codec.encode, job_deserializer=codec.decode)

    job = await sender.enqueue_job("add", "1.50")

    assert job is not None
    status = await queue_status_when_ended(queue, job.job_id)
    assert status.error is not None
    assert status.error.code == "invalid_input"
    assert "left" in status.error.message


async def test_job_stays_visible_to_its_sender_while_it_waits_and_can_be_revoked(
    client: Client, queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    sender = client(job_serializer=codec.encode, job_deserializer=codec.decode)
    await redis.hset(keys.PAUSED_QUEUES, keys.queue_key(Queue.DISCOUNTS), "1 tests")
    job = await sender.enqueue_job("add", left="1")
    assert job is not None

    async with running(settings):

        async def routed() -> bool:
            return await redis.zscore(keys.queue_key(Queue.DISCOUNTS), job.job_id) is not None

        await until(routed)
        seen = await job.status()
        revoked = await revoke_jobs(queue, [job.job_id])
    await redis.hdel(keys.PAUSED_QUEUES, keys.queue_key(Queue.DISCOUNTS))

    assert seen is ArqJobStatus.queued
    assert revoked[0].outcome is RevokeOutcome.PREVENTED
    assert await redis.zcard(keys.DEFAULT_QUEUE) == 0


async def test_deferred_job_is_routed_when_it_is_due(
    client: Client, queue: TaskQueue, redis: ArqRedis, settings: Settings
):
    sender = client(job_serializer=codec.encode, job_deserializer=codec.decode)
    later = await sender.enqueue_job("add", left="1", _defer_by=3600)
    soon = await sender.enqueue_job("add", left="1", _defer_by=1)
    assert later is not None
    assert soon is not None

    async with running(settings):
        assert await soon.result(timeout=30, poll_delay=0.02) == Decimal(2)

    assert await later.status() is ArqJobStatus.deferred
    assert await redis.zscore(keys.queue_key(Queue.DISCOUNTS), later.job_id) is None
    await redis.delete(keys.job_key(later.job_id))


async def test_task_that_nobody_knows_is_refused_after_the_patience(
    client: Client, queue: TaskQueue, settings: Settings
):
    sender = client(job_serializer=codec.encode, job_deserializer=codec.decode)
    job = await sender.enqueue_job("no_such_task")
    assert job is not None

    async with running(settings.model_copy(update={"unknown_task_timeout": timedelta(seconds=1)})):
        status = await queue_status_when_ended(queue, job.job_id)

    assert status.error is not None
    assert status.error.code == "unknown_task"


async def test_unusable_ids_do_not_block_the_default_queue(
    client: Client, redis: ArqRedis, settings: Settings
):
    sender = client(job_serializer=codec.encode, job_deserializer=codec.decode)
    await redis.zadd(keys.DEFAULT_QUEUE, {bytes([255, n]): 2 for n in range(150)})
    job = await sender.enqueue_job("add", left="1")
    assert job is not None

    async with running(settings):
        assert await job.result(timeout=30, poll_delay=0.02) == Decimal(2)
    assert await redis.hlen(keys.BAD_ENTRIES) == 150


async def test_default_queue_of_a_wrong_type_is_set_aside(
    client: Client, redis: ArqRedis, settings: Settings
):
    sender = client(job_serializer=codec.encode, job_deserializer=codec.decode)
    await redis.set(keys.DEFAULT_QUEUE, "rubbish")

    async with running(settings):

        async def set_aside() -> bool:
            return not await redis.exists(keys.DEFAULT_QUEUE)

        await until(set_aside)
        job = await sender.enqueue_job("add", left="1")
        assert job is not None
        assert await job.result(timeout=30, poll_delay=0.02) == Decimal(2)


async def test_jobs_that_no_worker_has_routed_are_counted(client: Client, redis: ArqRedis):
    sender = client()
    await sender.enqueue_job("add", left="1")

    assert await count_unrouted(redis, before_ms=2**53) == 1


async def test_doctor_warns_of_jobs_that_no_worker_routes(client: Client, settings: Settings):
    sender = client(job_serializer=codec.encode, job_deserializer=codec.decode)
    a_minute_ago = datetime.now(UTC) - timedelta(minutes=1)
    await sender.enqueue_job("add", left="1", _defer_until=a_minute_ago)

    findings = await check_redis(settings)

    assert "1 job waits in arq's default queue, arq:queue" in [finding.detail for finding in findings]


async def queue_status_when_ended(queue: TaskQueue, job_id: str):
    """The status of a job once a worker has routed it."""

    async def known() -> bool:
        return job_id in await queue.find_statuses([job_id])

    await until(known, seconds=30)
    return await queue.wait(job_id, WAIT)
