"""The end of a worker's process: registration withdrawn, runs written."""

import asyncio
import os
import signal

import pytest
from arq.connections import ArqRedis

from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis import cancellation, keys
from flexiprice.settings import Settings
from tests.support import toy_tasks
from tests.support.workers import running
from workers.runtime.jobs.task import tasks_in
from workers.runtime.process import WorkerProcess
from workers.runtime.recording.run_history import RunHistory
from workers.runtime.recovery.heartbeat import Heartbeat


async def test_worker_stopped_while_it_registers_is_deregistered(
    settings: Settings, queue: TaskQueue, monkeypatch: pytest.MonkeyPatch
):
    registered = asyncio.Event()
    join = Heartbeat.join

    async def join_and_wait(heartbeat: Heartbeat) -> None:
        await join(heartbeat)
        registered.set()
        # As if the reply were still on its way.
        await asyncio.Event().wait()

    monkeypatch.setattr(Heartbeat, "join", join_and_wait)
    process = WorkerProcess(settings, tasks_in(toy_tasks))
    starting = asyncio.create_task(process.start({}))
    # As arq's worker does, before it starts ours.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, starting.cancel)
    await registered.wait()
    assert len(await queue.live_workers()) == 1

    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait([starting])
    await process.stop({})
    await process.redis.aclose(close_connection_pool=True)

    assert starting.cancelled()
    assert await queue.live_workers() == ()


async def test_worker_writes_its_runs_before_it_deregisters(
    settings: Settings, redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cancellation, "_REPEAT_SECONDS", 0.05)
    write_now = RunHistory.write_now

    async def write_slowly(history: RunHistory) -> None:
        # Longer than the interval at which a task that does not end is cancelled again.
        await asyncio.sleep(0.3)
        await write_now(history)

    monkeypatch.setattr(RunHistory, "write_now", write_slowly)
    async with running(settings):
        assert await redis.zcard(keys.WORKERS) == 1

    assert await redis.zcard(keys.WORKERS) == 0
