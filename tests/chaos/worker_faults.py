"""Workers that are killed, stopped or frozen while they run jobs."""

import asyncio
import signal
from datetime import UTC, datetime

from flexiprice.catalog.sample import load_sample_catalog
from flexiprice.queue.admin.dead_letters import list_dead_letters
from flexiprice.queue.worker.losses import MAX_LONE_LOSSES
from flexiprice.resources import open_database
from tests.chaos.fault_tasks import POISON, RECOMPUTE
from tests.chaos.harness import Harness, until
from tests.chaos.outcome import Outcome, outcome


async def kill_one_of_two_mid_recompute(harness: Harness) -> Outcome:
    """kill -9 of one of two workers mid-recompute."""
    async with (
        open_database(harness.settings, program="faults") as database,
        database.sessions.begin() as session,
    ):
        await load_sample_catalog(session, today=datetime.now(tz=UTC).date())
    await harness.start_workers(2)
    recompute = await harness.enqueue(1, RECOMPUTE, before=1.0)
    jobs = recompute + await harness.enqueue(20, before=0.5)
    await harness.until_started(jobs)
    victim = await harness.running_on(recompute)
    killed_at = victim.kill()
    await harness.until_ready(jobs)
    twice = await harness.query(
        "SELECT count(*) - count(DISTINCT batch_id) AS doubled, count(*) AS opened FROM price_decisions"
    )
    return await outcome(
        harness,
        jobs,
        losses=[(victim.pid, killed_at)],
        note=f"{twice[0]['opened']} discounts opened, {twice[0]['doubled']} of them twice",
        as_it_should=twice[0]["opened"] > 0 and twice[0]["doubled"] == 0,
    )


async def kill_the_only_one_then_restart(harness: Harness) -> Outcome:
    """kill -9 of the only worker, then restart."""
    (victim,) = await harness.start_workers()
    jobs = await harness.enqueue(20, before=0.5)
    await harness.until_started(jobs[:10])
    killed_at = victim.kill()
    await harness.start_workers()
    await harness.until_ready(jobs)
    return await outcome(harness, jobs, losses=[(victim.pid, killed_at)])


async def stop_with_grace(harness: Harness) -> Outcome:
    """SIGTERM mid-job, with enough grace."""
    (stopped,) = await harness.start_workers(worker_grace="30")
    jobs = await harness.enqueue(5, before=2.0)
    await harness.until_started(jobs)
    stopped.signal(signal.SIGTERM)
    code = await asyncio.to_thread(stopped.process.wait, 30)
    await harness.until_ready(jobs, 1)
    starts = (await harness.query("SELECT count(*) FROM fault_starts"))[0][0]
    return await outcome(
        harness,
        jobs,
        note=f"exit code {code}, {starts} starts",
        as_it_should=code == 0 and starts == len(jobs),
    )


async def stop_without_grace(harness: Harness) -> Outcome:
    """SIGTERM mid-job, without enough grace."""
    await harness.start_workers(2, worker_grace="0.5")
    # The other one has room for all of them.
    jobs = await harness.enqueue(10, before=3.0)
    await harness.until_started(jobs)
    stopped = await harness.running_on(jobs)
    # Recovery counts from the end of the grace, which the operator chooses.
    over_at = stopped.signal(signal.SIGTERM) + 0.5
    code = await asyncio.to_thread(stopped.process.wait, 30)
    await harness.until_ready(jobs)
    return await outcome(
        harness, jobs, losses=[(stopped.pid, over_at)], note=f"exit code {code}", as_it_should=code == 0
    )


async def pause_past_the_lease(harness: Harness) -> Outcome:
    """SIGSTOP past the lease, then SIGCONT."""
    await harness.start_workers(2)
    jobs = await harness.enqueue(12, before=1.0)
    await harness.until_started(jobs)
    paused = await harness.running_on(jobs)
    paused_at = paused.signal(signal.SIGSTOP)
    await harness.until_ready(jobs)
    paused.signal(signal.SIGCONT)
    # It must work on, under another id.
    await harness.until_live([paused])
    for other in harness.workers:
        if other is not paused:
            other.kill()
    later = await harness.enqueue(3)
    await harness.until_ready(later, 20)
    return await outcome(
        harness,
        jobs + later,
        losses=[(paused.pid, paused_at)],
        note="the paused worker works on",
    )


async def kill_between_commit_and_acknowledgement(harness: Harness) -> Outcome:
    """kill -9 between commit and acknowledgement."""
    await harness.start_workers(2)
    jobs = await harness.enqueue(12, after=1.5)
    await harness.until_committed(jobs)
    victim = await harness.running_on(jobs)
    killed_at = victim.kill()
    await harness.until_ready(jobs)
    return await outcome(harness, jobs, losses=[(victim.pid, killed_at)])


async def poison(harness: Harness) -> Outcome:
    """A job that kills its worker, each time."""
    await harness.start_workers(2)
    (poisoned,) = await harness.enqueue(1, POISON)
    jobs = await harness.enqueue(10)
    deaths: list[tuple[int, float]] = []

    async def given_up() -> bool:
        for worker in [worker for worker in harness.workers if not worker.is_alive]:
            if worker.pid not in {pid for pid, _ in deaths}:
                deaths.append((worker.pid, datetime.now(tz=UTC).timestamp()))
                harness.start_worker()
        return (await harness.queue.status(poisoned)).ready

    await until(given_up, 60)
    await harness.until_ready(jobs)
    listed = [letter.job_id for letter in await list_dead_letters(harness.queue.redis)]
    return await outcome(
        harness,
        jobs,
        failing={poisoned: "worker_lost"},
        losses=deaths,
        note=f"given up after {len(deaths)} deaths, {MAX_LONE_LOSSES} of them while nothing else ran",
        # The first, and perhaps a second, also hits the jobs beside it.
        as_it_should=listed == [poisoned] and MAX_LONE_LOSSES <= len(deaths) <= MAX_LONE_LOSSES + 2,
    )
