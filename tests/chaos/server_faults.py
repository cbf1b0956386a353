"""Servers that restart, are killed or freeze while jobs are in flight."""

import asyncio
import signal
import time
from collections.abc import Callable

from tests.chaos.harness import Harness
from tests.chaos.outcome import Outcome, end_of_those_hit, outcome, slowest_worker_after
from tests.support.breakable_servers import BreakableServers

_AWAY_SECONDS = 2.0
# Longer than workers that took it for a fault of their own lived, and than three leases.
_REFUSES_SECONDS = 10.0
_STOPS_WITHIN = 30.0


async def redis_restart(harness: Harness, servers: BreakableServers) -> Outcome:
    """Redis restarts, with jobs running and waiting."""
    return await _redis_comes_and_goes(harness, servers, servers.stop_redis)


async def redis_killed(harness: Harness, servers: BreakableServers) -> Outcome:
    """kill -9 of Redis, with jobs running and waiting."""
    return await _redis_comes_and_goes(harness, servers, servers.kill_redis)


async def _redis_comes_and_goes(
    harness: Harness, servers: BreakableServers, end: Callable[[], None]
) -> Outcome:
    await harness.start_workers(2)
    jobs = await harness.enqueue(60, before=0.5)
    await harness.until_started(jobs[:20])
    end()
    await asyncio.sleep(_AWAY_SECONDS)
    servers.start_redis()
    back_at = time.time()
    await harness.until_ready(jobs)
    return await _of_survivors(
        harness, jobs, await slowest_worker_after(harness, back_at), "redis_unavailable"
    )


async def redis_frozen(harness: Harness, servers: BreakableServers) -> Outcome:
    """Redis is stopped for 60 s, with jobs running and waiting."""
    await harness.start_workers(2)
    jobs = await harness.enqueue(60, before=0.5)
    await harness.until_started(jobs[:20])
    with servers.frozen("Valkey"):
        frozen_at = time.monotonic()
        while not all(worker.said("redis_unavailable") for worker in harness.workers):
            if time.monotonic() > frozen_at + 60:
                break
            await asyncio.sleep(0.1)
        noticed = time.monotonic() - frozen_at
        await asyncio.sleep(max(0.0, 60 - noticed))
    back_at = time.time()
    await harness.until_ready(jobs)
    row = await _of_survivors(
        harness, jobs, await slowest_worker_after(harness, back_at), "redis_unavailable"
    )
    return row.also(f"noticed after {noticed:.0f} s", as_it_should=noticed <= 30)


async def redis_without_replicas(harness: Harness, servers: BreakableServers) -> Outcome:
    """Redis refuses writes for 10 s: NOREPLICAS."""
    return await _redis_refuses(harness, servers, "NOREPLICAS")


async def redis_cannot_save(harness: Harness, servers: BreakableServers) -> Outcome:
    """Redis refuses writes for 10 s: MISCONF."""
    return await _redis_refuses(harness, servers, "MISCONF")


async def redis_without_master(harness: Harness, servers: BreakableServers) -> Outcome:
    """Redis is a replica whose master is away for 10 s: MASTERDOWN."""
    return await _redis_refuses(harness, servers, "MASTERDOWN")


async def _redis_refuses(harness: Harness, servers: BreakableServers, kind: str) -> Outcome:
    """Two workers must wait it out; a third is told to stop meanwhile, and must."""
    *waiting, stopped = await harness.start_workers(3, worker_grace="1")
    jobs = await harness.enqueue(60, before=0.5)
    await harness.until_started(jobs[:20])
    with servers.unready_redis().refusing(kind):
        began = time.monotonic()
        stopped.signal(signal.SIGTERM)
        code = await asyncio.to_thread(stopped.process.wait, _STOPS_WITHIN)
        stopped_after = time.monotonic() - began
        await asyncio.sleep(max(0.0, _REFUSES_SECONDS - stopped_after))
    back_at = time.time()
    harness.workers.remove(stopped)
    await harness.until_ready(jobs)
    recovery = await slowest_worker_after(harness, back_at)
    row = await _of_survivors(harness, jobs, recovery, "redis_not_ready")
    said = all(worker.said("redis_not_ready") == 1 and worker.said(kind) == 1 for worker in waiting)
    note = f"a worker that was told to stop ended with {code} after {stopped_after:.0f} s"
    return row.also(note, as_it_should=code == 0 and said)


async def postgres_restart(harness: Harness, servers: BreakableServers) -> Outcome:
    """PostgreSQL restarts mid-task."""
    await harness.start_workers(2)
    jobs = await harness.enqueue(40, before=1.0)
    await harness.until_started(jobs[:20])
    struck_at = time.time()
    servers.stop_postgres()
    await asyncio.sleep(_AWAY_SECONDS)
    servers.start_postgres()
    back_at = time.time()
    await harness.until_ready(jobs)
    recovery = await end_of_those_hit(harness, struck_at, back_at)
    return await _of_survivors(harness, jobs, recovery, "PostgreSQL is away")


async def postgres_frozen(harness: Harness, servers: BreakableServers) -> Outcome:
    """PostgreSQL is stopped for 20 s, mid-task."""
    await harness.start_workers(2)
    jobs = await harness.enqueue(40, before=1.0)
    await harness.until_started(jobs[:20])
    struck_at = time.time()
    with servers.frozen("PostgreSQL"):
        await asyncio.sleep(20)
    back_at = time.time()
    await harness.until_ready(jobs)
    recovery = await end_of_those_hit(harness, struck_at, back_at)
    return await _of_survivors(harness, jobs, recovery, "PostgreSQL is away")


async def _of_survivors(harness: Harness, jobs: list[str], recovery: float | None, complaint: str) -> Outcome:
    """The workers must have lived through it, and must not have said so a thousand times."""
    alive = all(worker.is_alive for worker in harness.workers)
    complaints = max(worker.said(complaint) for worker in harness.workers)
    said = f"{complaint!r} logged {complaints}x a worker"
    return await outcome(
        harness,
        jobs,
        recovery=recovery,
        note=said if alive else f"a worker ended; {said}",
        as_it_should=alive and recovery is not None and complaints <= 3,
    )
