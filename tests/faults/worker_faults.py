"""Workers that are killed, told to stop, or paused, with jobs in their hands."""

import asyncio
import signal
from datetime import UTC, datetime

from flexiprice.jobs.dead_letters import list_dead_letters
from flexiprice.jobs.losses import MAX_LONE_LOSSES
from flexiprice.resources import open_database
from flexiprice.services.sample_catalogue import load_sample_catalogue
from tests.faults.fault_tasks import POISON, RECOMPUTE
from tests.faults.stage import Stage, until
from tests.faults.verdict import Verdict, verdict


async def kill_one_of_two_mid_recompute(stage: Stage) -> Verdict:
    """kill -9 of one of two workers mid-recompute."""
    async with (
        open_database(stage.settings, program="faults") as database,
        database.sessions.begin() as session,
    ):
        await load_sample_catalogue(session, today=datetime.now(tz=UTC).date())
    await stage.start_workers(2)
    recompute = await stage.enqueue(1, RECOMPUTE, before=1.0)
    jobs = recompute + await stage.enqueue(20, before=0.5)
    await stage.until_started(jobs)
    victim = await stage.running_on(recompute)
    killed_at = victim.kill()
    await stage.until_ready(jobs)
    twice = await stage.query(
        "SELECT count(*) - count(DISTINCT batch_id) AS doubled, count(*) AS opened FROM price_decisions"
    )
    return await verdict(
        stage,
        jobs,
        losses=[(victim.pid, killed_at)],
        note=f"{twice[0]['opened']} discounts opened, {twice[0]['doubled']} of them twice",
        as_it_should=twice[0]["opened"] > 0 and twice[0]["doubled"] == 0,
    )


async def kill_the_only_one_then_restart(stage: Stage) -> Verdict:
    """kill -9 of the only worker, then restart."""
    (victim,) = await stage.start_workers()
    jobs = await stage.enqueue(20, before=0.5)
    await stage.until_started(jobs[:10])
    killed_at = victim.kill()
    await stage.start_workers()
    await stage.until_ready(jobs)
    return await verdict(stage, jobs, losses=[(victim.pid, killed_at)])


async def stop_with_grace(stage: Stage) -> Verdict:
    """SIGTERM mid-job, with enough grace."""
    (stopped,) = await stage.start_workers(worker_grace="30")
    jobs = await stage.enqueue(5, before=2.0)
    await stage.until_started(jobs)
    stopped.signal(signal.SIGTERM)
    code = await asyncio.to_thread(stopped.process.wait, 30)
    await stage.until_ready(jobs, 1)
    starts = (await stage.query("SELECT count(*) FROM fault_starts"))[0][0]
    return await verdict(
        stage, jobs, note=f"exit code {code}, {starts} starts", as_it_should=code == 0 and starts == len(jobs)
    )


async def stop_without_grace(stage: Stage) -> Verdict:
    """SIGTERM mid-job, without enough grace."""
    await stage.start_workers(2, worker_grace="0.5")
    # The other one has room for all of them.
    jobs = await stage.enqueue(10, before=3.0)
    await stage.until_started(jobs)
    stopped = await stage.running_on(jobs)
    # The grace is the operator's; what counts is how soon they run elsewhere once it is over.
    over_at = stopped.signal(signal.SIGTERM) + 0.5
    code = await asyncio.to_thread(stopped.process.wait, 30)
    await stage.until_ready(jobs)
    return await verdict(
        stage, jobs, losses=[(stopped.pid, over_at)], note=f"exit code {code}", as_it_should=code == 0
    )


async def pause_past_the_lease(stage: Stage) -> Verdict:
    """SIGSTOP past the lease, then SIGCONT."""
    await stage.start_workers(2)
    jobs = await stage.enqueue(12, before=1.0)
    await stage.until_started(jobs)
    paused = await stage.running_on(jobs)
    paused_at = paused.signal(signal.SIGSTOP)
    await stage.until_ready(jobs)
    paused.signal(signal.SIGCONT)
    # It must work on, under another id.
    await stage.until_live([paused])
    for other in stage.workers:
        if other is not paused:
            other.kill()
    later = await stage.enqueue(3)
    await stage.until_ready(later, 20)
    return await verdict(
        stage,
        jobs + later,
        losses=[(paused.pid, paused_at)],
        note="the paused worker works on",
    )


async def kill_between_commit_and_acknowledgement(stage: Stage) -> Verdict:
    """kill -9 between commit and acknowledgement."""
    await stage.start_workers(2)
    jobs = await stage.enqueue(12, after=1.5)
    await stage.until_committed(jobs)
    victim = await stage.running_on(jobs)
    killed_at = victim.kill()
    await stage.until_ready(jobs)
    return await verdict(stage, jobs, losses=[(victim.pid, killed_at)])


async def poison(stage: Stage) -> Verdict:
    """A job that kills its worker, each time."""
    await stage.start_workers(2)
    (poisoned,) = await stage.enqueue(1, POISON)
    jobs = await stage.enqueue(10)
    deaths: list[tuple[int, float]] = []

    async def given_up() -> bool:
        for worker in [worker for worker in stage.workers if not worker.is_alive]:
            if worker.pid not in {pid for pid, _ in deaths}:
                deaths.append((worker.pid, datetime.now(tz=UTC).timestamp()))
                stage.start_worker()
        return (await stage.queue.status(poisoned)).ready

    await until(given_up, 60)
    await stage.until_ready(jobs)
    listed = [letter.job_id for letter in await list_dead_letters(stage.queue.redis)]
    return await verdict(
        stage,
        jobs,
        failing={poisoned: "worker_lost"},
        losses=deaths,
        note=f"given up after {len(deaths)} deaths, {MAX_LONE_LOSSES} of them while nothing else ran",
        # The first strikes what runs beside it, and perhaps a second.
        as_it_should=listed == [poisoned] and MAX_LONE_LOSSES <= len(deaths) <= MAX_LONE_LOSSES + 2,
    )
