"""The loop monitor logs a task that blocks the event loop while it blocks, and no other."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.support.processes import read_until
from workers.runtime.monitoring.loop_monitor import LoopMonitor

# Well above the delay of a thread on a busy machine.
THRESHOLD = timedelta(milliseconds=400)
BLOCKED = "event_loop_blocked"


@pytest.fixture
def log() -> Iterator[list[Any]]:
    """The log lines."""
    with capture_logs() as lines:
        yield lines


async def until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Returns when a condition has come true."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- what is awaited is a thread's
            await asyncio.sleep(0.005)


def block(seconds: float) -> None:
    """Blocks the event loop."""
    time.sleep(seconds)


async def test_blocked_event_loop_is_logged_with_task_jobs_and_stack(log: list[Any]) -> None:
    watch = LoopMonitor(threshold=THRESHOLD, running=lambda: ["recompute 17", "cleanup 4"])
    told_meanwhile: list[int] = []

    async def culprit() -> None:
        block(1.5)
        told_meanwhile.append(len(log))

    watch.start()
    await asyncio.create_task(culprit(), name="job 17")
    watch.stop()
    assert told_meanwhile == [1]
    assert log[0]["event"] == BLOCKED
    assert log[0]["blocked_by"] == "job 17"
    assert log[0]["jobs"] == ["recompute 17", "cleanup 4"]
    assert "in block\n    time.sleep(seconds)" in log[0]["stack"]


async def test_every_block_of_the_loop_is_logged_and_counted_once(log: list[Any]) -> None:
    blocks: list[str] = []
    lags: list[float] = []
    watch = LoopMonitor(threshold=THRESHOLD, on_lag=lags.append, on_block=lambda: blocks.append("block"))
    watch.start()
    for number in (1, 2):
        block(1.5)
        lags.clear()
        # The late beat, and one in time.
        await until(lambda: len(lags) >= 2)
        assert watch.blocks == number
    watch.stop()
    assert [line["event"] for line in log] == [BLOCKED, BLOCKED]
    assert blocks == ["block", "block"]


async def test_the_lag_is_measured_all_the_time_and_shows_the_worst_of_late(log: list[Any]) -> None:
    lags: list[float] = []
    watch = LoopMonitor(threshold=timedelta(seconds=4), on_lag=lags.append)
    watch.start()
    await until(lambda: len(lags) >= 2)
    assert watch.lag == timedelta(seconds=max(lags))
    # Longer than from one beat to the next.
    block(1.5)
    await until(lambda: max(lags) > 0.45)
    watch.stop()
    assert timedelta(seconds=0.45) < watch.lag < timedelta(seconds=4)
    assert watch.blocks == 0
    assert log == []


async def test_the_lag_of_a_block_that_lasts_is_shown_too() -> None:
    watch = LoopMonitor(threshold=THRESHOLD)
    watch.start()
    block(0.6)
    assert watch.lag > THRESHOLD
    watch.stop()


async def test_a_call_that_holds_the_interpreter_is_told_when_it_is_over(log: list[Any]) -> None:
    held = "interpreter_blocked"
    numbers, used = 5_000_000, 0.0
    while used < 0.3:
        numbers *= 2
        before = time.process_time()
        sum(range(numbers))
        used = time.process_time() - before
    lags: list[float] = []
    watch = LoopMonitor(
        threshold=timedelta(milliseconds=40), running=lambda: ["recompute 17"], on_lag=lags.append
    )
    watch.start()

    async def told() -> bool:
        # One call from one beat to the next: between two calls the monitor could see the blocking task.
        lags.clear()
        await until(lambda: lags)
        sum(range(numbers))
        await until(lambda: len(lags) >= 2)
        return any(line["event"] == held for line in log)

    # Where others take nearly all of the processor, the process cannot be told from one that is paused.
    async with asyncio.timeout(120):
        while not await told():
            pass
    watch.stop()
    assert [line["jobs"] for line in log if line["event"] == held][-1] == ["recompute 17"]


def test_paused_process_is_not_logged_as_blocked() -> None:
    program = """
import asyncio
from datetime import timedelta
from structlog import PrintLogger, configure
from workers.runtime.monitoring.loop_monitor import LoopMonitor

async def main():
    watch = LoopMonitor(threshold=timedelta(milliseconds=500))
    watch.start()
    print("ready", flush=True)
    while watch.lag < timedelta(seconds=1):
        await asyncio.sleep(0.01)
    await asyncio.sleep(1)
    watch.stop()
    print("blocks:", watch.blocks, flush=True)

asyncio.run(main())
"""
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        read_until(child, "ready")
        child.send_signal(signal.SIGSTOP)
        # A pause is a length of time.
        time.sleep(2)
        child.send_signal(signal.SIGCONT)
        said, _ = child.communicate(timeout=120)
    finally:
        child.kill()
    assert said.count("process_paused") == 1
    assert "blocks: 0" in said


async def test_loop_monitor_can_be_stopped_twice_and_started_again(log: list[Any]) -> None:
    watch = LoopMonitor(threshold=THRESHOLD)
    watch.stop()
    watch.start()
    watch.stop()
    watch.stop()
    block(1.5)
    assert watch.blocks == 0
    watch.start()
    block(1.5)
    watch.stop()
    assert [line["event"] for line in log] == [BLOCKED]


async def test_loop_monitor_beats_four_times_a_threshold_at_most() -> None:
    # Its only cost is its beats: four in each threshold, which is a second in production.
    lags: list[float] = []
    watch = LoopMonitor(threshold=THRESHOLD, on_lag=lags.append)
    began = time.monotonic()
    watch.start()
    await until(lambda: len(lags) >= 4)
    watch.stop()
    assert len(lags) <= 4 * (time.monotonic() - began) / THRESHOLD.total_seconds()
