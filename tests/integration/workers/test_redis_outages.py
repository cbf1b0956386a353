"""Workers wait while Redis restarts, freezes or has not started, and lose no job."""

import asyncio
import signal
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest
from arq.connections import ArqRedis
from structlog.testing import capture_logs

from flexiprice.embedded.valkey import EmbeddedValkey
from flexiprice.queue import client
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import NoArguments, TaskDeclaration
from flexiprice.queue.redis.connection import create_redis_of
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Queue, Settings, load_settings
from tests.support import toy_tasks
from tests.support.toy_tasks import ADD, SLEEP
from tests.support.waiting import until
from tests.support.workers import running, until_running
from workers.runtime.jobs import consumer
from workers.runtime.jobs.task import TaskContext, task, tasks_in
from workers.runtime.redis_retry import RedisRetry, StartupRetry

WAIT = timedelta(seconds=120)


class OwnRedis:
    """A durable Redis that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()

    def start(self) -> None:
        self._server = EmbeddedValkey(self._folder, password="test", durable=True)
        self._server.wait_until_ready()
        # Everything connects anew here, and a busy machine may stall for longer than the usual two seconds.
        self.url = f"{self._server.url}?socket_connect_timeout=60"

    def stop(self) -> None:
        self._server.process.stop()

    def signal(self, signum: signal.Signals) -> None:
        for process in psutil.process_iter(["name", "cwd"]):
            if process.info["cwd"] == str(self._folder) and "valkey-server" in str(process.info["name"]):
                process.send_signal(signum)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def settings(workers_database_url: str, own_redis: OwnRedis) -> Settings:
    return load_settings(env_files=(), database_url=workers_database_url, redis_url=own_redis.url)


async def until_said(logs: Sequence[Mapping[str, Any]], event: str) -> None:
    """Returns when an event is in the log."""

    async def said() -> bool:
        return any(line["event"] == event for line in logs)

    await until(said)


async def test_a_restart_of_redis_ends_no_worker_and_loses_no_job(
    own_redis: OwnRedis, settings: Settings, queue: TaskQueue
):
    redis_is_away, ended = asyncio.Event(), asyncio.Event()

    @task(TaskDeclaration(name="until_away", queue=Queue.DISCOUNTS, arguments=NoArguments))
    async def until_away(_: TaskContext, __: NoArguments) -> None:
        await redis_is_away.wait()
        ended.set()

    async with running(settings, [until_away, *tasks_in(toy_tasks)]):
        ends_while_away = await queue.enqueue(until_away.declaration)
        due_while_away = await queue.enqueue(SLEEP, defer_by=timedelta(seconds=0.6))
        due_at = asyncio.get_running_loop().time() + 0.6
        await until_running(queue, ends_while_away.job_id)

        await asyncio.to_thread(own_redis.stop)
        redis_is_away.set()
        await ended.wait()
        # Until the deferred job is due: an instant, which no condition reports.
        await asyncio.sleep(max(0.0, due_at - asyncio.get_running_loop().time()))
        await asyncio.to_thread(own_redis.start)

        statuses = [await queue.wait(job.job_id, WAIT) for job in (ends_while_away, due_while_away)]
        later = await queue.enqueue(ADD, arguments={"left": 1})
        assert (await queue.wait(later.job_id, WAIT)).result == Decimal(2)
    assert [(status.status, status.attempt) for status in statuses] == [(JobStatus.SUCCEEDED, 1)] * 2


async def test_a_restart_of_redis_leaves_workers_and_waiters_listening(
    own_redis: OwnRedis, settings: Settings, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
):
    async with running(settings):
        before = await queue.enqueue(ADD, arguments={"left": 1})
        await queue.wait(before.job_id, WAIT)
        await asyncio.to_thread(own_redis.stop)
        await asyncio.to_thread(own_redis.start)
        after = await queue.enqueue(ADD, arguments={"left": 1})
        await queue.wait(after.job_id, WAIT)
        # From now on nothing polls: only a notification comes within the test's time.
        for module in (client, consumer):
            monkeypatch.setattr(module, "_POLL_SECONDS", 3600)
        monkeypatch.setattr(consumer, "_BUSY_POLL_SECONDS", 3600)

        async with asyncio.timeout(WAIT.total_seconds()):
            for _ in range(5):
                job = await queue.enqueue(ADD, arguments={"left": 1})
                assert (await queue.wait(job.job_id, timedelta(hours=1))).result == Decimal(2)


async def test_worker_waits_for_a_frozen_redis(own_redis: OwnRedis, settings: Settings, queue: TaskQueue):
    with capture_logs() as logs:
        async with running(settings):
            job = await queue.enqueue(SLEEP, arguments={"seconds": 0.3})
            await until_running(queue, job.job_id)
            own_redis.signal(signal.SIGSTOP)
            await until_said(logs, "redis_unavailable")
            own_redis.signal(signal.SIGCONT)

            assert (await queue.wait(job.job_id, WAIT)).status is JobStatus.SUCCEEDED
            later = await queue.enqueue(ADD, arguments={"left": 1})
            assert (await queue.wait(later.job_id, WAIT)).result == Decimal(2)


async def test_redis_outage_and_recovery_are_logged_once(capsys: pytest.CaptureFixture[str]):
    redis_retry = RedisRetry()
    answers = iter([OSError("refused")] * 3 + [None, None])

    async def call() -> str:
        answer = next(answers)
        if answer is not None:
            raise answer
        return "PONG"

    assert await redis_retry.call(call) == "PONG"
    assert await redis_retry.call(call) == "PONG"

    said = capsys.readouterr().out
    assert said.count("redis_unavailable") == 1
    assert said.count("redis_recovered") == 1


async def test_redis_retry_ends_with_the_worker():
    redis_retry = RedisRetry()
    redis_retry.closed = True

    async def call() -> None:
        raise OSError("refused")

    with pytest.raises(OSError, match="refused"):
        await redis_retry.call(call)


async def test_a_worker_waits_for_a_redis_that_starts_after_it(
    own_redis: OwnRedis, settings: Settings, queue: TaskQueue
):
    await asyncio.to_thread(own_redis.stop)

    with capture_logs() as logs:

        async def start_later() -> None:
            await until_said(logs, "redis_unavailable")
            await asyncio.to_thread(own_redis.start)

        starting = asyncio.create_task(start_later())
        async with running(settings):
            await starting
            job = await queue.enqueue(ADD, arguments={"left": 1})
            assert (await queue.wait(job.job_id, WAIT)).result == Decimal(2)


async def test_a_redis_that_never_starts_ends_the_start_in_plain_words(unused_tcp_port: int):
    nowhere = load_settings(env_files=(), redis_url=f"redis://:hunter2@127.0.0.1:{unused_tcp_port}/0")
    redis = create_redis_of(ArqRedis, nowhere, client_name="flexiprice-tests", retry=StartupRetry(attempts=1))

    with pytest.raises(SystemExit, match="FLEXIPRICE_REDIS_URL") as caught:
        await redis.ping()

    assert "hunter2" not in str(caught.value)
    await redis.aclose(close_connection_pool=True)
