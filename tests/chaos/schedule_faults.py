"""Each tick runs once, with several workers or after a time without any."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from flexiprice.domain.run import RunTrigger
from tests.chaos.fault_tasks import TICKING
from tests.chaos.harness import Harness, until
from tests.chaos.outcome import Outcome, outcome

_EVERY_MINUTE = "* * * * *"
_MINUTE = timedelta(minutes=1)
_TICKS = 1000


def _job_of(tick_at: datetime) -> str:
    return f"{TICKING.name}:{tick_at:%Y-%m-%dT%H:%M:%SZ}"


def _long_ago() -> datetime:
    # Ticks are due by the clock of Redis, not by the harness's: all of them are past.
    return datetime.now(tz=UTC).replace(second=0, microsecond=0) - _MINUTE * (_TICKS + 60)


async def thousand_ticks(harness: Harness) -> Outcome:
    """Two workers and one schedule over 1000 ticks."""
    start = _long_ago()
    harness.clock.set(start + timedelta(seconds=30))
    await harness.start_workers(2, stepped=True, cleanup_schedule=_EVERY_MINUTE)
    ticks = [start + _MINUTE * number for number in range(1, _TICKS + 1)]
    began = time.monotonic()
    for tick_at in ticks:
        harness.clock.set(tick_at + timedelta(milliseconds=100))
        await until(lambda tick_at=tick_at: _taken(harness, tick_at), 20, every=0.002)
    jobs = [_job_of(tick_at) for tick_at in ticks]
    await harness.until_ready(jobs)
    runs = (await harness.query("SELECT count(*) FROM fault_effects"))[0][0]
    return await outcome(
        harness,
        jobs,
        note=f"{runs} runs of {_TICKS} ticks in {time.monotonic() - began:.0f} s",
        as_it_should=runs == _TICKS,
    )


async def no_worker_at_a_tick(harness: Harness) -> Outcome:
    """Three ticks pass while no worker lives."""
    start = _long_ago()
    harness.clock.set(start + timedelta(seconds=30))
    (first,) = await harness.start_workers(1, stepped=True, cleanup_schedule=_EVERY_MINUTE)
    harness.clock.set(start + _MINUTE + timedelta(milliseconds=100))
    await until(lambda: _taken(harness, start + _MINUTE), 20)
    await harness.until_ready([_job_of(start + _MINUTE)])
    first.kill()
    harness.clock.set(start + _MINUTE * 4 + timedelta(seconds=30))
    await harness.start_workers(2, stepped=True, cleanup_schedule=_EVERY_MINUTE)
    lives_at = time.time()
    late = _job_of(start + _MINUTE * 4)
    await until(lambda: _taken(harness, start + _MINUTE * 4), 20)
    await harness.until_ready([late])
    recovery = time.time() - lives_at
    # Both have looked for missed ticks by now; neither may add a job.
    await asyncio.sleep(1)
    runs = (await harness.query("SELECT count(*) FROM fault_effects"))[0][0]
    trigger = (await harness.queue.status(late)).source.trigger
    return await outcome(
        harness,
        [_job_of(start + _MINUTE), late],
        recovery=recovery,
        note=f"the latest ran once, as {trigger.value}" if runs == 2 else f"{runs} runs",
        as_it_should=runs == 2 and trigger is RunTrigger.LATE_SCHEDULE,
    )


async def _taken(harness: Harness, tick_at: datetime) -> bool:
    return _job_of(tick_at) in await harness.statuses([_job_of(tick_at)])
