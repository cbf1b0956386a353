"""The options of arq's own command: `--check`, `--burst` and `--watch`."""

import ast
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import CLEANUP_EXPIRED_DISCOUNTS, RECOMPUTE_BATCHES, UPDATE_PRICE_HISTORY
from flexiprice.queue.redis import keys
from flexiprice.queue.status import JobStatus
from flexiprice.settings import Queue, Settings
from tests.support.processes import wait_for
from tests.support.readme import page
from tests.support.waiting import until

Arq = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def arq(environment: dict[str, str], tmp_path: Path) -> Iterator[Arq]:
    """Starts arq's command with options; what still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        with (tmp_path / f"arq-{len(started)}.log").open("w") as log:
            started.append(
                subprocess.Popen(
                    [Path(sys.executable).with_name("arq"), "workers.settings.WorkerSettings", *options],
                    cwd=tmp_path,
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
        return started[-1]

    yield start
    for program in started:
        program.kill()
        program.wait(timeout=10)


async def test_check_says_whether_a_worker_lives(arq: Arq, queue: TaskQueue):
    assert arq("--check").wait(timeout=60) == 1

    worker = arq()

    async def live() -> bool:
        return bool(await queue.live_workers())

    await until(live, seconds=60)
    assert wait_for(lambda: arq("--check").wait(timeout=60) == 0, seconds=60)

    worker.kill()
    worker.wait(timeout=10)
    assert wait_for(lambda: arq("--check").wait(timeout=60) == 1, seconds=60)


async def test_burst_runs_every_job_of_every_queue_and_ends(arq: Arq, queue: TaskQueue):
    jobs = []
    for number in range(60):
        jobs.append(await queue.enqueue(RECOMPUTE_BATCHES, arguments={"batch_ids": [number + 1]}))
        jobs.append(await queue.enqueue(CLEANUP_EXPIRED_DISCOUNTS))
        jobs.append(await queue.enqueue(UPDATE_PRICE_HISTORY))

    assert arq("--burst").wait(timeout=120) == 0

    statuses = await queue.statuses([job.job_id for job in jobs])
    assert {status.status for status in statuses} == {JobStatus.SUCCEEDED}


async def test_burst_leaves_a_paused_queue_alone(arq: Arq, queue: TaskQueue):
    await queue.redis.hset(keys.PAUSED_QUEUES, keys.queue_key(Queue.MAINTENANCE), "1 tests")
    paused = await queue.enqueue(CLEANUP_EXPIRED_DISCOUNTS)
    other = await queue.enqueue(UPDATE_PRICE_HISTORY)

    code = arq("--burst").wait(timeout=120)
    await queue.redis.hdel(keys.PAUSED_QUEUES, keys.queue_key(Queue.MAINTENANCE))

    assert code == 0
    assert (await queue.status(paused.job_id)).status is JobStatus.QUEUED
    assert (await queue.status(other.job_id)).status is JobStatus.SUCCEEDED


async def test_watch_restarts_the_worker_with_the_changed_code_and_obeys_signals(
    arq: Arq, queue: TaskQueue, tmp_path: Path
):
    code = tmp_path / "code"
    code.mkdir()
    worker = arq("--watch", str(code))

    async def worker_ids() -> set[str]:
        return {live.worker_id for live in await queue.live_workers()}

    await until(worker_ids, seconds=60)
    first = await worker_ids()

    async def restarted() -> bool:
        return bool(await worker_ids() - first)

    # Nothing reports that the watch has begun; a second change would only restart the worker again.
    for attempt in range(6):
        (code / f"task_{attempt}.py").write_text("x = 1\n")
        with suppress(TimeoutError):
            await until(restarted, seconds=20)
            break
    assert await restarted()
    job = await queue.enqueue(UPDATE_PRICE_HISTORY)

    async def ended() -> bool:
        return (await queue.status(job.job_id)).ready

    await until(ended, seconds=60)
    assert (await queue.status(job.job_id)).status is JobStatus.SUCCEEDED
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0


# arq gives redis-py an argument that is deprecated since 6, and a warning fails a test.
@pytest.mark.locked
async def test_documented_client_works_as_printed(
    arq: Arq, queue: TaskQueue, settings: Settings, capsys: pytest.CaptureFixture[str]
):
    document = page("migrate/from-plain-arq")
    printed = document.read_text().partition("```python\n")[2].partition("```")[0]
    printed = printed.replace("redis://localhost:6379/0", settings.require_redis_url())
    arq()

    result = eval(compile(printed, document, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names := {})
    await result
    await names["pool"].aclose(close_connection_pool=True)

    assert "'considered': 0" in capsys.readouterr().out
