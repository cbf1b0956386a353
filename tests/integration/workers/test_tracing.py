"""The span of a run is a child of its enqueueing span and holds no error message."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from flexiprice.errors import QueueFull
from flexiprice.queue.arq import ArqRedis
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import keys
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Settings
from flexiprice.tracing import tracing
from tests.support.otlp_receiver import Receiver, receiving
from tests.support.toy_tasks import ADD, FAIL
from tests.support.workers import running

WAIT = timedelta(seconds=120)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address)
        yield receiver


@pytest.mark.parametrize("trace", [None, "rubbish", "00-" + "f" * 5000])
async def test_a_job_without_a_usable_parent_runs_and_begins_a_trace(
    settings: Settings, queue: TaskQueue, redis: ArqRedis, receiver: Receiver, trace: str | None
) -> None:
    job = await queue.enqueue(ADD, arguments={"left": 1})
    record = keys.record_key(job.job_id)
    assert await redis.hget(record, "trace") is None
    if trace is not None:
        await redis.hset(record, "trace", trace)
    async with running(settings):
        assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED
    (run,) = receiver.spans()
    assert (run.name, run.parent_id, run.failed) == ("run add", "", False)
    assert run.facts["flexiprice.status"] == "succeeded"


async def test_span_of_a_failed_enqueue_has_the_error_code(
    settings: Settings, redis: ArqRedis, receiver: Receiver
) -> None:
    full = TaskQueue(redis, settings.model_copy(update={"queue_limit": 1}))
    async with tracing("flexiprice-tests"):
        await full.enqueue(ADD, arguments={"left": 1})
        with pytest.raises(QueueFull):
            await full.enqueue(ADD, arguments={"left": 2})
    accepted, refused = receiver.spans()
    assert (accepted.name, accepted.failed) == ("enqueue add", False)
    assert (refused.name, refused.failed) == ("enqueue add", True)
    assert refused.facts["error.type"] == QueueFull.code
    assert b"is full" not in b"".join(receiver.bodies)


async def test_span_of_a_failed_run_has_the_error_code_and_no_message(
    settings: Settings, queue: TaskQueue, receiver: Receiver
) -> None:
    job = await queue.enqueue(FAIL, arguments={"kind": "builtin"})
    async with running(settings):
        failed = await queue.wait(job.job_id, WAIT)
    assert failed.status is JobStatus.FAILED
    (run,) = receiver.spans()
    assert run.failed
    assert run.facts["error.type"] == "ValueError"
    assert b"hunter2" not in b"".join(receiver.bodies)
