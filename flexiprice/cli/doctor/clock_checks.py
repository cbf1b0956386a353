"""Checks of clocks and schedules."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from redis.asyncio import Redis

from flexiprice.cli.console import format_time
from flexiprice.cli.doctor.findings import Finding, Health
from flexiprice.db.clock import database_clock
from flexiprice.db.engine import database_errors
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.redis.clock import DRIFT_WARNING, ServerClock, drift_in_words, synchronize
from flexiprice.queue.redis.connection import redis_errors
from flexiprice.queue.schedule_state import ScheduleState
from flexiprice.queue.worker.heartbeat import LiveWorker
from flexiprice.resources import open_resources
from flexiprice.settings import Settings

_ADVICE = "set the clock that is wrong, as by NTP (chrony, systemd-timesyncd)"


async def check_own_clock(redis: Redis) -> list[Finding]:
    """Compares the clock of this machine with that of Redis."""
    clock = ServerClock()
    await synchronize(redis, clock)
    if abs(clock.drift) <= DRIFT_WARNING:
        return [Finding(Health.OK, "clock", "this machine's clock agrees with that of Redis")]
    detail = f"this machine's clock is {drift_in_words(clock.drift)} that of Redis"
    return [Finding(Health.WARNING, "clock", detail, _ADVICE)]


async def check_server_clocks(settings: Settings) -> list[Finding]:
    """Compares the clock of PostgreSQL, which decides prices, with that of Redis, which decides ticks."""
    clock = ServerClock()
    try:
        with database_errors(), redis_errors():
            async with (
                open_resources(settings, program="flexiprice-doctor") as resources,
                resources.sessions.begin() as session,
            ):
                # The first call connects, so that the second is answered without delay.
                await database_clock(session)
                await synchronize(resources.redis, clock)
                drift = await database_clock(session) - clock()
    except FlexiPriceError:
        # Another check reports the unavailable server.
        return []
    if abs(drift) <= DRIFT_WARNING:
        return [Finding(Health.OK, "clock", "PostgreSQL's clock agrees with that of Redis")]
    detail = (
        f"PostgreSQL's clock is {drift_in_words(drift)} that of Redis: prices follow one, schedules the other"
    )
    return [Finding(Health.WARNING, "clock", detail, _ADVICE)]


def check_worker_clocks(workers: Sequence[LiveWorker]) -> Iterator[Finding]:
    """Compares the clocks of the workers' machines with that of Redis."""
    for worker in workers:
        drift = timedelta(seconds=worker.clock_drift_seconds)
        if abs(drift) > DRIFT_WARNING:
            detail = f"{worker.host} pid {worker.pid}: its clock is {drift_in_words(drift)} that of Redis"
            health = Health.FAILED if worker.refuses_schedules else Health.WARNING
            refuses = ", so it schedules nothing" if worker.refuses_schedules else ""
            yield Finding(health, "clock", f"{detail}{refuses}", _ADVICE)


def check_schedules(states: Sequence[ScheduleState], workers: Sequence[LiveWorker]) -> Iterator[Finding]:
    """Checks that a worker ticks each schedule, and that all workers have the same crontab for it."""
    ticked = {
        queue
        for worker in workers
        if worker.takes_jobs and not worker.refuses_schedules
        for queue in worker.queues
    }
    for state in states:
        source = "" if state.is_published else ", by the settings of this terminal"
        detail = f"{state.name} ({state.lines[0]}{source}) is due {format_time(state.next_tick_at)}"
        untaken_since = state.untaken_since
        if state.queue not in ticked:
            advice = f"it runs by itself only while a worker consumes {state.queue.value}"
            yield Finding(Health.FAILED, "schedules", detail, advice)
        elif state.paused_at is not None:
            detail = f"{state.name} is paused since {format_time(state.paused_at)} "
            detail += f"by {state.paused_by or 'an unknown user'}"
            advice = f"its ticks pass unused; when done: flexiprice schedule resume {state.name}"
            yield Finding(Health.WARNING, "schedules", detail, advice)
        elif state.disagreement is not None:
            detail = f"workers disagree on {state.name}: {state.disagreement}"
            advice = "give all workers the same schedules and FLEXIPRICE_TIMEZONE"
            yield Finding(Health.WARNING, "schedules", detail, advice)
        elif untaken_since is not None and state.read_at - untaken_since > _LATE_AFTER:
            detail = (
                f"{state.name} ({state.lines[0]}) was due {format_time(untaken_since)}, and no worker took it"
            )
            advice = "look at the workers' logs; to run it now: flexiprice schedule run " + state.name
            yield Finding(Health.FAILED, "schedules", detail, advice)
        else:
            yield Finding(Health.OK, "schedules", detail)


# Workers tick to the second: all workers have missed a tick that is later than this.
_LATE_AFTER = timedelta(seconds=15)
