"""The effects of a task are committed once, however often its job runs."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.errors import JobAlreadyDone, WorkerFenced
from flexiprice.runs.fencing import register_worker
from flexiprice.runs.receipts import Receipt, begin_task, find_receipt, purge_receipts, write_receipt
from tests.support.statements import statements_of

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_LATER = _NOON + timedelta(milliseconds=1)


async def register(session: AsyncSession) -> None:
    await register_worker(session, worker_id="one", host="till", pid=7, started_at=_NOON)


async def begin(session: AsyncSession, job_id: str = "job", enqueued_at: datetime = _NOON) -> bytes | None:
    receipt = await begin_task(session, worker_id="one", job_id=job_id, enqueued_at=enqueued_at)
    return None if receipt is None else receipt.result


async def test_a_job_without_receipt_is_to_be_done_and_one_with_a_receipt_is_not(
    session: AsyncSession,
) -> None:
    await register(session)
    assert await begin(session) is None
    await write_receipt(session, job_id="job", enqueued_at=_NOON, result=b"\0done\xff")
    assert await begin(session) == b"\0done\xff"
    found = await find_receipt(session, job_id="job", enqueued_at=_NOON)
    assert isinstance(found, Receipt)
    assert found.result == b"\0done\xff"


async def test_a_job_that_uses_an_id_again_is_another_job(session: AsyncSession) -> None:
    await register(session)
    await write_receipt(session, job_id="job", enqueued_at=_NOON, result=b"first")
    assert await begin(session, enqueued_at=_LATER) is None
    assert await find_receipt(session, job_id="job", enqueued_at=_LATER) is None
    await write_receipt(session, job_id="job", enqueued_at=_LATER, result=b"second")
    assert await begin(session) == b"first"


async def test_the_fence_and_the_receipt_are_looked_up_by_one_statement(session: AsyncSession) -> None:
    await register(session)
    async with statements_of(session) as statements:
        await begin(session)
    assert len(statements) == 1


async def test_a_worker_that_never_registered_may_not_begin(session: AsyncSession) -> None:
    with pytest.raises(WorkerFenced):
        await begin(session)


@pytest.fixture
async def sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """Sessions on a database in which worker `one` is registered, and effects are counted."""
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with sessions.begin() as session:
        await register(session)
        await session.execute(text("CREATE TABLE effects (job_id text)"))
    return sessions


async def test_exactly_one_of_many_simultaneous_runs_of_a_job_commits(
    sessions: async_sessionmaker[AsyncSession],
) -> None:
    async def run(number: int) -> str:
        try:
            async with sessions.begin() as session:
                if await begin(session) is not None:
                    return "found"
                await session.execute(text("INSERT INTO effects VALUES ('job')"))
                await write_receipt(session, job_id="job", enqueued_at=_NOON, result=b"%d" % number)
        except JobAlreadyDone:
            return "rolled back"
        return f"did {number}"

    outcomes = await asyncio.gather(*(run(number) for number in range(8)))
    [winner] = [outcome for outcome in outcomes if outcome.startswith("did")]
    async with sessions.begin() as session:
        assert await session.scalar(text("SELECT count(*) FROM effects")) == 1
        receipt = await find_receipt(session, job_id="job", enqueued_at=_NOON)
    assert receipt is not None
    assert winner == f"did {receipt.result.decode()}"


async def test_a_receipt_is_lost_together_with_the_effects(
    sessions: async_sessionmaker[AsyncSession],
) -> None:
    async with sessions() as session:
        await session.begin()
        await begin(session)
        await write_receipt(session, job_id="job", enqueued_at=_NOON, result=b"")
        await session.rollback()
    async with sessions.begin() as session:
        assert await begin(session) is None


async def test_old_receipts_are_deleted(session: AsyncSession) -> None:
    await register(session)
    await write_receipt(session, job_id="job", enqueued_at=_NOON, result=b"")
    written_at = await session.scalar(text("SELECT written_at FROM job_receipts"))
    assert await purge_receipts(session, before=written_at) == 0
    assert await purge_receipts(session, before=written_at + timedelta(microseconds=1)) == 1
    assert await begin(session) is None
