"""Shards beside each other, beside whole recomputes and beside deletions: nothing twice, nobody for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.tables import Batch, Discount, PriceDecision, Store
from flexiprice.domain.shard import Shard
from flexiprice.services.cleanup import cleanup_expired_discounts
from flexiprice.services.recompute import (
    RecomputeSummary,
    close_discounts_of_deleted,
    recompute_all_discounts,
    recompute_batches,
    recompute_shard,
)
from tests.builders import DAY, NOON, a_product, an_active_policy

STORES = 16
Sessions = async_sessionmaker[AsyncSession]
Work = Callable[[AsyncSession], Awaitable[object]]

_WAITS_FOR_A_LOCK = text(
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
    "WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
)


@pytest.fixture
async def sessions(engine: AsyncEngine) -> Sessions:
    """Sessions on a database with one batch a store, each of which a recompute will open a discount for."""
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with sessions.begin() as session:
        await an_active_policy(session)
        product = await a_product(session)
        # Whoever makes them is waited for, once a month.
        await ensure_partitions(session, now=NOON)
        codes = [{"code": f"store-{place}", "time_zone": "UTC"} for place in range(STORES)]
        stores = (await session.scalars(insert(Store).returning(Store.id), codes)).all()
        batch = {"product_id": product, "lot": "", "quantity": 10, "expiry_date": DAY}
        await session.execute(insert(Batch), [{"store_id": store, **batch} for store in stores])
    return sessions


async def doing(sessions: Sessions, work: Work) -> object:
    async with sessions.begin() as session:
        return await work(session)


def shard(number: int, count: int) -> Work:
    return lambda session: recompute_shard(session, Shard(number, count), now=NOON)


def everything(session: AsyncSession) -> Awaitable[object]:
    return recompute_all_discounts(session, now=NOON)


def cleanup(session: AsyncSession) -> Awaitable[object]:
    return cleanup_expired_discounts(session, now=NOON, history_retention_days=700)


async def single_batches(session: AsyncSession) -> object:
    ids = (await session.scalars(select(Batch.id).limit(4))).all()
    return await recompute_batches(session, now=NOON, batch_ids=ids)


def deletion(place: int = 0) -> Work:
    async def work(session: AsyncSession) -> object:
        ids = (await session.scalars(select(Batch.id).order_by(Batch.id))).all()
        await close_discounts_of_deleted(session, [ids[place]], NOON)
        return await session.execute(delete(Batch).where(Batch.id == ids[place]))

    return work


@asynccontextmanager
async def held_up_by(sessions: Sessions, work: Work) -> AsyncIterator[None]:
    """While this is open, work that has been done is not committed."""
    async with sessions() as session, session.begin():
        await work(session)
        yield


async def waits(sessions: Sessions, task: asyncio.Task[object]) -> bool:
    """Whether a piece of work comes to wait for a lock before it is done."""
    async with sessions() as watching, asyncio.timeout(10):
        while not task.done():
            if await watching.scalar(_WAITS_FOR_A_LOCK):
                return True
            await asyncio.sleep(0.01)
    return False


@pytest.mark.parametrize(
    ("held", "wanted", "expected"),
    [
        (shard(1, 4), shard(2, 4), False),
        (shard(1, 4), shard(1, 4), True),
        (shard(1, 2), shard(1, 3), True),
        (shard(2, 16), shard(1, 3), False),
        (shard(3, 4), everything, True),
        (everything, shard(3, 4), True),
        (shard(3, 4), single_batches, True),
        (shard(3, 4), cleanup, True),
        (shard(3, 4), deletion(), True),
        (deletion(), shard(3, 4), True),
    ],
    ids=[
        "another shard does not wait",
        "the same shard waits",
        "a shard of another cut that overlaps waits",
        "a shard of another cut that does not overlap does not wait",
        "a whole recompute waits for a shard",
        "a shard waits for a whole recompute",
        "single batches wait for a shard",
        "the cleanup waits for a shard",
        "a deletion waits for a shard",
        "a shard waits for a deletion",
    ],
)
async def test_who_waits_for_whom(sessions: Sessions, held: Work, wanted: Work, expected: bool) -> None:
    async with held_up_by(sessions, held):
        task = asyncio.create_task(doing(sessions, wanted))
        waited = await waits(sessions, task)
    await task
    assert waited is expected


async def test_one_deletion_does_not_wait_for_another(sessions: Sessions) -> None:
    async with held_up_by(sessions, deletion(0)):
        task = asyncio.create_task(doing(sessions, deletion(1)))
        assert not await waits(sessions, task)


async def test_whatever_is_done_at_once_every_discount_opens_once(sessions: Sessions) -> None:
    random = Random(7)
    shards = [shard(number, count) for count in (1, 3, 4, 16) for number in range(1, count + 1)]
    works = [*shards, everything, everything, single_batches, cleanup, deletion(0), deletion(-1)]
    random.shuffle(works)
    async with asyncio.timeout(30):
        done = await asyncio.gather(*(doing(sessions, work) for work in works))
    opened = sum(one.opened for one in done if isinstance(one, RecomputeSummary))
    async with sessions() as session:
        lines = await session.scalar(
            select(func.count()).select_from(PriceDecision).where(PriceDecision.kind == "opened")
        )
        left = await session.scalar(select(func.count()).select_from(Discount))
        batches = await session.scalar(select(func.count()).select_from(Batch))
        twice = select(func.count()).group_by(PriceDecision.batch_id).where(PriceDecision.kind == "opened")
        assert set((await session.scalars(twice)).all()) == {1}
    assert lines == opened
    assert left == batches
