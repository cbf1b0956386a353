"""Shards beside other shards, whole recomputes and deletions open each discount once."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest
from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.tables import Batch, Discount, PriceDecision, Store
from flexiprice.domain.shard import Shard
from flexiprice.pricing.cleanup import cleanup_expired_discounts
from flexiprice.pricing.recompute import (
    RecomputeSummary,
    close_discounts_of_deleted,
    recompute_all_discounts,
    recompute_batches,
    recompute_shard,
)
from flexiprice.settings import Settings, load_settings
from tests.support.builders import DAY, NOON, a_product, an_active_policy

STORES = 16
Sessions = async_sessionmaker[AsyncSession]
Work = Callable[[AsyncSession], Awaitable[object]]

_WAITS_FOR_A_LOCK = text(
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
    "WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
)


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """A connection for everything that runs at once: nothing here waits for one."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url, database_pool_size=40)


@pytest.fixture
async def sessions(engine: AsyncEngine) -> Sessions:
    """Sessions on a database with one batch a store, each of which a recompute will open a discount for."""
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with sessions.begin() as session:
        await an_active_policy(session)
        product = await a_product(session)
        # Their creation is waited for, once a month.
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


async def waits(sessions: Sessions, wanted: Work, *, held: Work) -> bool:
    """Whether work waits while another transaction is open; both are rolled back."""
    async with sessions() as holding, sessions() as wanting, sessions() as watching, asyncio.timeout(120):
        await held(holding)
        task = asyncio.ensure_future(wanted(wanting))
        waited = False
        while not (waited or task.done()):
            waited = bool(await watching.scalar(_WAITS_FOR_A_LOCK))
        await holding.rollback()
        await task
        await wanting.rollback()
    return waited


async def test_overlapping_recomputes_wait_and_others_do_not(sessions: Sessions) -> None:
    for why, held, wanted, expected in (
        ("another shard does not wait", shard(1, 4), shard(2, 4), False),
        ("the same shard waits", shard(1, 4), shard(1, 4), True),
        ("a shard of another cut that overlaps waits", shard(1, 2), shard(1, 3), True),
        ("a shard of another cut that does not overlap does not wait", shard(2, 16), shard(1, 3), False),
        ("a whole recompute waits for a shard", shard(3, 4), everything, True),
        ("a shard waits for a whole recompute", everything, shard(3, 4), True),
        ("single batches wait for a shard", shard(3, 4), single_batches, True),
        ("the cleanup waits for a shard", shard(3, 4), cleanup, True),
        ("a deletion waits for a shard", shard(3, 4), deletion(), True),
        ("a shard waits for a deletion", deletion(), shard(3, 4), True),
        ("a deletion does not wait for another", deletion(0), deletion(1), False),
    ):
        assert await waits(sessions, wanted, held=held) is expected, why


async def test_discounts_open_once_whatever_runs_beside_the_shards(sessions: Sessions) -> None:
    random = Random(7)
    shards = [shard(number, count) for count in (1, 3, 4, 16) for number in range(1, count + 1)]
    works = [*shards, everything, everything, single_batches, cleanup, deletion(0), deletion(-1)]
    random.shuffle(works)
    async with asyncio.timeout(120):
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
