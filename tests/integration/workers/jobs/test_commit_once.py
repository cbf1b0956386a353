"""A task's effects and its receipt are one transaction, which a fenced worker cannot commit."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from flexiprice.errors import WorkerFenced
from flexiprice.resources import Resources, open_resources
from flexiprice.runs.fencing import fence_worker, register_worker
from flexiprice.settings import Settings, load_settings
from workers.runtime.jobs.task import TaskContext

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def resources(settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources(settings, program="flexiprice-tests") as opened:
        async with opened.sessions.begin() as session:
            await session.execute(text("CREATE TABLE effects (worker text)"))
            for worker_id in ("one", "two"):
                await register_worker(session, worker_id=worker_id, host="till", pid=7, started_at=NOON)
        yield opened


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A database of the test's own, for the effects."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


@pytest.fixture
def run(resources: Resources) -> TaskContext:
    return TaskContext(job_id="job", enqueued_at=NOON, worker_id="one", attempt=1, resources=resources)


async def effect(session: AsyncSession) -> dict[str, object]:
    await session.execute(text("INSERT INTO effects VALUES ('one')"))
    return {"price": Decimal("1.50"), "slot_at": NOON}


async def effects(resources: Resources) -> int:
    async with resources.sessions.begin() as session:
        return await session.scalar(text("SELECT count(*) FROM effects")) or 0


async def test_a_job_that_runs_again_gives_the_result_of_the_first_time(run: TaskContext):
    results = [await run.commit_once(effect), await replace(run, worker_id="two").commit_once(effect)]

    assert results == [{"price": Decimal("1.50"), "slot_at": NOON}] * 2
    assert await effects(run.resources) == 1


async def test_a_later_job_of_the_same_id_is_another_job(run: TaskContext):
    await run.commit_once(effect)
    await replace(run, enqueued_at=NOON + timedelta(seconds=1)).commit_once(effect)

    assert await effects(run.resources) == 2


async def test_one_of_two_simultaneous_runs_commits_and_both_return_its_result(run: TaskContext):
    begun = asyncio.Barrier(2)

    async def together(session: AsyncSession) -> dict[str, object]:
        await begun.wait()
        return await effect(session)

    both = [run, replace(run, worker_id="two")]
    results = await asyncio.gather(*(one.commit_once(together) for one in both))

    assert results == [{"price": Decimal("1.50"), "slot_at": NOON}] * 2
    assert await effects(run.resources) == 1


async def test_fenced_worker_commits_nothing(run: TaskContext):
    await fence_worker(run.resources.sessions, "one", now=NOON)

    with pytest.raises(WorkerFenced):
        await run.commit_once(effect)
    assert await effects(run.resources) == 0


async def test_failed_commit_leaves_neither_effect_nor_receipt(run: TaskContext):
    async def fails(session: AsyncSession) -> None:
        await effect(session)
        raise ValueError("half done")

    with pytest.raises(ValueError, match="half done"):
        await run.commit_once(fails)
    assert await effects(run.resources) == 0
    assert await run.commit_once(effect) is not None
