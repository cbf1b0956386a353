"""A shop with one batch in every bucket, and the shards of a recompute of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from arq.connections import ArqRedis
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.db.tables import Batch, Store
from flexiprice.domain.shard import BUCKET_COUNT, Shard
from flexiprice.queue.client import JobInfo
from flexiprice.queue.redis import keys
from flexiprice.settings import Settings, load_settings
from tests.support.builders import a_product, an_active_policy
from tests.support.waiting import until

SHARDS = 4


async def stock_every_bucket(engine: AsyncEngine) -> None:
    """Stores a batch in every bucket, each of which a recompute will open a discount for."""
    async with AsyncSession(engine) as session, session.begin():
        await an_active_policy(session)
        product = await a_product(session)
        codes = [{"code": f"store-{place}", "time_zone": "UTC"} for place in range(BUCKET_COUNT)]
        stores = (await session.scalars(insert(Store).returning(Store.id), codes)).all()
        today = datetime.now(UTC).date()
        batch = {"product_id": product, "lot": "", "quantity": 10, "expiry_date": today}
        await session.execute(insert(Batch), [{"store_id": store, **batch} for store in stores])


async def number_of(engine: AsyncEngine, entity: type) -> int:
    async with AsyncSession(engine) as session:
        return await session.scalar(select(func.count()).select_from(entity)) or 0


@asynccontextmanager
async def held_up(engine: AsyncEngine, number: int) -> AsyncIterator[AsyncSession]:
    """Keeps one shard waiting within its transaction, while the others can be done."""
    buckets = Shard(number, SHARDS).buckets
    async with AsyncSession(engine) as session, session.begin():
        # A discount for one of these would refer to a row that this is about to change.
        held = select(Batch.id).where(Batch.store_id % BUCKET_COUNT == buckets[0]).with_for_update()
        assert (await session.scalars(held)).all()
        yield session


async def children_of(redis: ArqRedis, job_id: str) -> dict[str, bytes]:
    """The children of a job by number; empty where one has not ended."""
    found = await redis.hgetall(keys.children_key(job_id))
    return {name.decode(): outcome for name, outcome in found.items()}


async def until_ended(redis: ArqRedis, job_id: str, children: int) -> None:
    async def ended() -> bool:
        return sum(outcome != b"" for outcome in (await children_of(redis, job_id)).values()) >= children

    await until(ended)


def did(status: JobInfo) -> dict[str, int]:
    assert isinstance(status.result, dict), status
    return {name: status.result[name] for name in ("considered", "opened", "changed", "closed", "unchanged")}


EVERYTHING = {"considered": BUCKET_COUNT, "opened": BUCKET_COUNT, "changed": 0, "closed": 0, "unchanged": 0}


def settings_with_shards(database_url: str, redis_url: str) -> Settings:
    """Settings by which every recompute is done in shards."""
    return load_settings(
        env_files=(),
        database_url=database_url,
        redis_url=redis_url,
        recompute_shards=SHARDS,
        recompute_shards_from=0,
    )
