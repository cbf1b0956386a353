"""A worker that is declared dead commits nothing more, dead or only slow."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.db.engine import create_engine
from flexiprice.errors import DatabaseUnavailable, FlexiPriceError, WorkerFenced
from flexiprice.runs.fencing import (
    fence_worker,
    forget_worker,
    purge_lost_workers,
    register_worker,
    session_name,
)
from flexiprice.runs.receipts import begin_task
from flexiprice.settings import Settings
from tests.support import zombie_worker

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_SECOND = timedelta(seconds=1)

Sessions = async_sessionmaker[AsyncSession]


@pytest.fixture
async def sessions(engine: AsyncEngine) -> Sessions:
    """Sessions of a survivor, on a database with workers `one` and `two`."""
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with sessions.begin() as session:
        for worker_id in ("one", "two"):
            await register_worker(session, worker_id=worker_id, host="till", pid=7, started_at=_NOON)
        await session.execute(text("CREATE TABLE effects (worker text)"))
    return sessions


@asynccontextmanager
async def sessions_of(worker_id: str, settings: Settings) -> AsyncIterator[Sessions]:
    engine = create_engine(settings, application_name=session_name(worker_id))
    try:
        yield async_sessionmaker(engine)
    finally:
        await engine.dispose()


async def begin(sessions: Sessions, worker_id: str) -> None:
    async with sessions.begin() as session:
        await begin_task(session, worker_id=worker_id, job_id="job", enqueued_at=_NOON)


async def effects(sessions: Sessions) -> int:
    async with sessions.begin() as session:
        return await session.scalar(text("SELECT count(*) FROM effects")) or 0


async def lost_at(sessions: Sessions, worker_id: str) -> datetime | None:
    async with sessions.begin() as session:
        found: datetime | None = await session.scalar(
            text("SELECT lost_at FROM workers WHERE id = :id"), {"id": worker_id}
        )
        return found


@contextmanager
def zombie(database_url: str) -> Iterator[subprocess.Popen[str]]:
    """Worker `one` as a process of its own that hangs in a task's transaction."""
    process = subprocess.Popen(
        [sys.executable, zombie_worker.__file__, database_url, "one"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "hanging\n"
        yield process
    finally:
        process.kill()
        process.communicate()


async def test_stopped_process_loses_its_transaction_and_can_begin_no_other(
    sessions: Sessions, settings: Settings
) -> None:
    with zombie(settings.require_database_url()) as process:
        os.kill(process.pid, signal.SIGSTOP)
        assert await fence_worker(sessions, "one", now=_NOON) == 1
        # Its lock is gone, and so is its effect: another worker can do the job.
        await begin(sessions, "two")
        os.kill(process.pid, signal.SIGCONT)
        said, _ = process.communicate("continue\n", timeout=120)
    assert said.split() == ["database_unavailable", "worker_fenced"]
    assert await effects(sessions) == 0
    assert await lost_at(sessions, "one") == _NOON


async def test_a_killed_process_leaves_no_session_behind_its_fence(
    sessions: Sessions, settings: Settings
) -> None:
    with zombie(settings.require_database_url()) as process:
        os.kill(process.pid, signal.SIGKILL)
        await fence_worker(sessions, "one", now=_NOON)
    assert await effects(sessions) == 0
    with pytest.raises(WorkerFenced):
        await begin(sessions, "one")


async def test_a_worker_in_the_middle_of_many_transactions_commits_none_after_the_fence(
    sessions: Sessions, settings: Settings
) -> None:
    committed = asyncio.Event()
    refusals = list[str]()

    async def work(own: Sessions) -> None:
        while not refusals.count("worker_fenced"):
            try:
                async with own.begin() as session:
                    await begin_task(session, worker_id="one", job_id="job", enqueued_at=_NOON)
                    await session.execute(text("INSERT INTO effects VALUES ('one')"))
                committed.set()
            except FlexiPriceError as error:
                refusals.append(error.code)

    async with sessions_of("one", settings) as own, asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(work(own))
        await committed.wait()
        await fence_worker(sessions, "one", now=_NOON)
        at_the_fence = await effects(sessions)
    assert at_the_fence > 0
    assert await effects(sessions) == at_the_fence
    assert set(refusals) <= {"database_unavailable", "worker_fenced"}


async def test_a_session_that_hangs_outside_any_task_is_ended_and_its_locks_are_free(
    sessions: Sessions, settings: Settings
) -> None:
    lock = text("SELECT pg_try_advisory_xact_lock(1)")
    async with sessions_of("one", settings) as own, own() as hanging:
        assert await hanging.scalar(lock)
        assert await fence_worker(sessions, "one", now=_NOON) == 1
        async with sessions.begin() as session:
            assert await session.scalar(lock)
        with pytest.raises(DatabaseUnavailable):
            await hanging.scalar(lock)


async def test_fence_leaves_other_workers_alone(sessions: Sessions, settings: Settings) -> None:
    async with sessions_of("two", settings) as own, own.begin() as session:
        await begin_task(session, worker_id="two", job_id="job", enqueued_at=_NOON)
        assert await fence_worker(sessions, "one", now=_NOON) == 0
        await session.execute(text("INSERT INTO effects VALUES ('two')"))
    assert await effects(sessions) == 1
    assert await lost_at(sessions, "two") is None


async def test_fencing_twice_and_at_once_keeps_the_first_instant(sessions: Sessions) -> None:
    await fence_worker(sessions, "one", now=_NOON)
    await asyncio.gather(*(fence_worker(sessions, "one", now=_NOON + _SECOND) for _ in range(4)))
    assert await lost_at(sessions, "one") == _NOON


async def test_a_worker_that_was_lost_before_it_could_register_stays_fenced_when_it_does(
    sessions: Sessions,
) -> None:
    await fence_worker(sessions, "three", now=_NOON)
    async with sessions.begin() as session:
        await register_worker(session, worker_id="three", host="till", pid=8, started_at=_NOON)
    with pytest.raises(WorkerFenced):
        await begin(sessions, "three")


async def test_registering_again_neither_fails_nor_lifts_the_fence(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        await register_worker(session, worker_id="one", host="till", pid=7, started_at=_NOON)
    await begin(sessions, "one")
    await fence_worker(sessions, "one", now=_NOON)
    async with sessions.begin() as session:
        await register_worker(session, worker_id="one", host="till", pid=7, started_at=_NOON)
    with pytest.raises(WorkerFenced):
        await begin(sessions, "one")


async def test_a_session_that_will_not_end_makes_the_fence_give_up_and_not_lie(sessions: Sessions) -> None:
    # Under another name, and so out of the fence's reach: as one that the server is slow to end.
    async with sessions.begin() as session:
        await begin_task(session, worker_id="one", job_id="job", enqueued_at=_NOON)
        with pytest.raises(DatabaseUnavailable):
            await fence_worker(sessions, "one", now=_NOON, time_limit=_SECOND)
    assert await lost_at(sessions, "one") is None
    await begin(sessions, "one")


async def test_a_worker_that_ends_in_order_is_forgotten_and_a_lost_one_is_not(sessions: Sessions) -> None:
    await fence_worker(sessions, "one", now=_NOON)
    async with sessions.begin() as session:
        await forget_worker(session, "one")
        await forget_worker(session, "two")
        known = (await session.scalars(text("SELECT id FROM workers"))).all()
    assert known == ["one"]
    with pytest.raises(WorkerFenced):
        await begin(sessions, "two")


async def test_workers_lost_long_ago_are_forgotten_and_stay_fenced(sessions: Sessions) -> None:
    await fence_worker(sessions, "one", now=_NOON)
    async with sessions.begin() as session:
        assert await purge_lost_workers(session, before=_NOON) == 0
        assert await purge_lost_workers(session, before=_NOON + _SECOND) == 1
    with pytest.raises(WorkerFenced):
        await begin(sessions, "one")
    await begin(sessions, "two")


@pytest.mark.parametrize("worker_id", ["", "w" * 46, "kühltheke-1", "till\n1"])
def test_an_id_that_postgresql_would_change_is_refused(worker_id: str) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        session_name(worker_id)


def test_the_longest_id_just_fits_the_name_of_a_session() -> None:
    assert len(session_name("w" * 45)) == 63
