"""Machines whose clocks are wrong: each tick still fires once, and doctor reports the clock."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.chaos.fault_tasks import TICKING
from tests.chaos.harness import Harness, Worker, until
from tests.chaos.outcome import Outcome, outcome
from tests.support.moved_clock import MovedClock

_MINUTE = timedelta(minutes=1)
_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3_600
# Longer than a tick may be late, with a margin for a busy machine.
_TICK_SECONDS = 90


async def clock_a_day_ahead(harness: Harness) -> Outcome:
    """The clock of one of two workers is a day ahead."""
    clock = MovedClock(harness.folder / "clock-offset")
    clock.move(_DAY_SECONDS)
    right, wrong = await _two_workers(harness, clock)
    return await _tick_on(harness, clock, right, wrong)


async def clock_put_back_an_hour(harness: Harness) -> Outcome:
    """The clock of one of two workers is put back by an hour at work."""
    clock = MovedClock(harness.folder / "clock-offset")
    right, wrong = await _two_workers(harness, clock)
    first = await _next_tick(harness)
    clock.move(-_HOUR_SECONDS)
    return await _tick_on(harness, clock, right, wrong, before=[first])


async def _two_workers(harness: Harness, clock: MovedClock) -> tuple[Worker, Worker]:
    workers = [
        harness.start_worker(
            environment=environment, cleanup_schedule="* * * * *", faults_ticks="1", log_level="INFO"
        )
        for environment in ({}, clock.environment)
    ]
    await harness.until_live(workers)
    return workers[0], workers[1]


async def _tick_on(
    harness: Harness, clock: MovedClock, right: Worker, wrong: Worker, before: list[str] | None = None
) -> Outcome:
    """Two ticks with a wrong clock beside a right one, then one with the wrong one mended and alone."""
    jobs = await harness.enqueue(20, before=0.5)
    ticks = [*(before or []), await _next_tick(harness), await _next_tick(harness)]
    clock.move(0)
    await until(lambda: _said(wrong, "schedules_resumed"), _TICK_SECONDS)
    right.kill()
    ticks.append(await _next_tick(harness))
    await harness.until_ready(jobs + ticks)
    refused = wrong.said("schedules_refused")
    runs = (await harness.query("SELECT count(*) FROM fault_effects WHERE NOT job_id = ANY($1)", jobs))[0][0]
    return await outcome(
        harness,
        jobs + ticks,
        note=f"{runs} runs of {len(ticks)} ticks, told {refused} time(s)",
        as_it_should=refused == 1 and runs == len(ticks),
    )


async def _said(worker: Worker, text: str) -> bool:
    return worker.said(text) > 0


async def _next_tick(harness: Harness) -> str:
    """The job of the next minute, once it is there."""
    tick_at = datetime.now(tz=UTC).replace(second=0, microsecond=0) + _MINUTE
    job_id = f"{TICKING.name}:{tick_at:%Y-%m-%dT%H:%M:%SZ}"

    async def is_taken() -> bool:
        return job_id in await harness.statuses([job_id])

    await until(is_taken, _TICK_SECONDS, every=0.2)
    # Ticks are enqueued a moment early, and the next minute must be the next one.
    await asyncio.sleep(max(0.0, (tick_at - datetime.now(tz=UTC)).total_seconds()))
    return job_id
