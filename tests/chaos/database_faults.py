"""A PostgreSQL that answers and refuses work: disk full, cancelled statements, a lock, a restore."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from flexiprice.embedded.binaries import postgres_programs
from tests.chaos.fault_tasks import SLOW
from tests.chaos.harness import Harness, until
from tests.chaos.outcome import Outcome, end_of_those_hit, outcome, slowest_worker_after, unrecorded_of
from tests.chaos.small_disk import SmallDisk, small_disk
from tests.support.breakable_servers import BreakableServers
from tests.support.servers import with_database

_REFUSED = "database_refuses_work"
_NOTICE_SECONDS = 60.0
_STAYS_SECONDS = 5.0
_LOCKED_SECONDS = 60.0


async def disk_full(harness: Harness, servers: BreakableServers) -> Outcome:
    """The disk of PostgreSQL's tables is full, with jobs running and waiting."""
    try:
        with small_disk(servers.postgres_folder) as disk:
            async with _database_on(servers.database_url, disk):
                return await _fill_and_free(harness, disk)
    except PermissionError as error:
        return Outcome(jobs=0, lost=0, doubled=0, unrecorded=0, recovery=None, note=f"SKIPPED: {error}")


async def _fill_and_free(harness: Harness, disk: SmallDisk) -> Outcome:
    await harness.start_workers(2)
    jobs = await harness.enqueue(20)
    await harness.until_ready(jobs)
    struck_at = time.time()
    disk.fill()
    # Many enough that the pages in which there is room do not hold their rows.
    jobs += await harness.enqueue(400)
    await _until_all_say(harness, _REFUSED)
    told = await _doctor(harness)
    await asyncio.sleep(_STAYS_SECONDS)
    disk.free()
    back_at = time.time()
    await harness.until_ready(jobs)
    recovery = await end_of_those_hit(harness, struck_at, back_at) or await slowest_worker_after(
        harness, back_at
    )
    return await _of_survivors(harness, jobs, recovery, told, "PostgreSQL's disk is full (53100)")


async def statement_timeout(harness: Harness, servers: BreakableServers) -> Outcome:
    """An administrator sets statement_timeout to 0.2 s, and cancels by hand what runs."""
    name = urlsplit(servers.database_url).path.lstrip("/")
    await harness.query(f'ALTER DATABASE "{name}" SET statement_timeout = 200')
    try:
        await harness.start_workers(2)
        jobs = await harness.enqueue(40, SLOW, before=1.0)
        await harness.until_started(jobs[:20])
        struck_at = time.time()
        running = "state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        cancelled = await harness.query(
            f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {running}"
        )
        await harness.until_ready(jobs)
        recovery = await end_of_those_hit(harness, struck_at, struck_at)
    finally:
        await harness.query(f'ALTER DATABASE "{name}" RESET statement_timeout')
    said = "\n".join(worker.log.read_text(errors="replace") for worker in harness.workers)
    row = await _of_survivors(harness, jobs, recovery, said, "PostgreSQL cancelled a statement (57014)")
    return row.also(f"{len(cancelled)} cancelled by hand", as_it_should=len(cancelled) > 0)


async def lock_held(harness: Harness, servers: BreakableServers) -> Outcome:
    """A session locks a table for 60 s, which tasks wait for no longer than 20 s at a time."""
    await harness.start_workers(2, database_recompute_lock_timeout="20")
    connection = await asyncpg.connect(servers.database_url)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE fault_effects IN ACCESS EXCLUSIVE MODE")
            struck_at = time.time()
            jobs = await harness.enqueue(40)
            await asyncio.sleep(_LOCKED_SECONDS)
    finally:
        await connection.close()
    back_at = time.time()
    await harness.until_ready(jobs)
    said = "\n".join(worker.log.read_text(errors="replace") for worker in harness.workers)
    recovery = await end_of_those_hit(harness, back_at, back_at)
    row = await _of_survivors(harness, jobs, recovery, said, "another session holds a lock")
    return row.also(f"held for {back_at - struck_at:.0f} s", as_it_should=_REFUSED not in said)


async def restore(harness: Harness, servers: BreakableServers) -> Outcome:
    """All tables are dropped and restored from a dump, with jobs coming meanwhile."""
    await harness.start_workers(2)
    before = await harness.enqueue(20)
    await harness.until_ready(before)
    # All effects must be in the dump; a restore loses later ones.
    await unrecorded_of(harness, before)
    dump = harness.folder / "dump"
    await _program("pg_dump", "--format=custom", f"--file={dump}", f"--dbname={servers.database_url}")
    await harness.query("DROP SCHEMA public CASCADE")
    await harness.query("CREATE SCHEMA public")
    jobs = await harness.enqueue(60)
    await _until_all_say(harness, _REFUSED)
    told = await _doctor(harness)
    await asyncio.sleep(_STAYS_SECONDS)
    await _program("pg_restore", "--schema=public", f"--dbname={servers.database_url}", str(dump))
    back_at = time.time()
    await harness.until_ready(jobs)
    recovery = await slowest_worker_after(harness, back_at)
    return await _of_survivors(harness, [*before, *jobs], recovery, told, "flexiprice migrate")


async def _of_survivors(
    harness: Harness, jobs: Sequence[str], recovery: float | None, told: str, sentence: str
) -> Outcome:
    """The workers must have lived through it, an operator be told, and no worker have said so often."""
    alive = all(worker.is_alive for worker in harness.workers)
    complaints = max(worker.said(_REFUSED) for worker in harness.workers)
    row = await outcome(harness, jobs, recovery=recovery, note=f"{_REFUSED} logged {complaints}x a worker")
    row = row.also("workers alive" if alive else "a worker ended", as_it_should=alive and complaints <= 3)
    return row.also(f"told: {sentence!r}", as_it_should=sentence in told and recovery is not None)


async def _until_all_say(harness: Harness, event: str) -> None:
    async def said() -> bool:
        return all(worker.said(event) for worker in harness.workers)

    await until(said, _NOTICE_SECONDS, every=0.1)


async def _doctor(harness: Harness) -> str:
    """The output of `flexiprice doctor`."""
    environment = {
        **os.environ,
        "FLEXIPRICE_DATABASE_URL": harness.settings.require_database_url(),
        "FLEXIPRICE_REDIS_URL": harness.settings.require_redis_url(),
    }
    command = [sys.executable, "-m", "flexiprice.cli.main", "doctor"]
    finished = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    return f"{finished.stdout}{finished.stderr}"


async def _program(name: str, *arguments: str) -> None:
    command = [str(postgres_programs() / name), *arguments]
    finished = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=120, check=False
    )
    if finished.returncode:
        raise RuntimeError(f"{name}: {finished.stderr}")


@asynccontextmanager
async def _database_on(database_url: str, disk: SmallDisk) -> AsyncGenerator[None]:
    """Has the whole database on a disk for as long as the context lasts."""
    name = urlsplit(database_url).path.lstrip("/")
    server = await asyncpg.connect(with_database(database_url, "postgres"))
    everybody = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
    try:
        await server.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
        await server.execute(everybody)
        await server.execute(f'ALTER DATABASE "{name}" SET TABLESPACE small')
        try:
            yield
        finally:
            disk.free()
            await server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await server.execute(everybody)
            await server.execute(f'ALTER DATABASE "{name}" SET TABLESPACE pg_default')
            await server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            await server.execute("DROP TABLESPACE small")
    finally:
        await server.close()
