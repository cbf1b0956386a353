"""Simultaneous, repeated, failed and killed recomputes change each discount once or not at all."""

import asyncio
import sys
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from flexiprice.db.locks import Lock, acquire
from flexiprice.db.tables import Batch, Discount, PriceDecision, Product
from flexiprice.pricing.recompute import close_discounts_of_deleted, recompute_all_discounts
from tests.support.builders import NOON, a_batch, a_product, an_active_policy

BATCHES = 40
OVERSTOCK_TOO: dict[str, object] = {
    "rules": [
        {"name": "last day", "days_to_expiry": {"max": 0}, "discount": "0.25"},
        {"name": "overstock", "quantity": {"min": 50}, "discount": "0.40"},
    ]
}
Sessions = async_sessionmaker[AsyncSession]

# Not by pg_stat_activity, which shows one transaction the same picture all the time.
_WAITS_FOR_A_LOCK = text(
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
    "WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
)
_WRITES = text(
    "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables "
    "WHERE relname ~ '^(discounts|price_decisions)'"
)


@pytest.fixture
async def sessions(engine: AsyncEngine) -> Sessions:
    """Sessions on a database with batches that a recompute will open discounts for."""
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with sessions.begin() as session:
        await an_active_policy(session, OVERSTOCK_TOO)
        product = await a_product(session)
        for _ in range(BATCHES):
            await a_batch(session, product)
    return sessions


async def recompute(sessions: Sessions, days_later: int = 0) -> tuple[int, int, int]:
    async with sessions.begin() as session:
        summary = await recompute_all_discounts(session, now=NOON + timedelta(days=days_later))
    return summary.opened, summary.changed, summary.closed


async def number_of(sessions: Sessions, entity: type) -> int:
    async with sessions() as session:
        return await session.scalar(select(func.count()).select_from(entity)) or 0


async def until_somebody_waits(session: AsyncSession) -> None:
    async with asyncio.timeout(120):
        while not await session.scalar(_WAITS_FOR_A_LOCK):  # noqa: ASYNC110 the server has no event to wait for
            await asyncio.sleep(0.01)


async def writes(sessions: Sessions) -> int:
    """Rows ever written to the tables of prices, as the server counts them."""
    async with sessions() as session:
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
        await session.commit()
        return await session.scalar(_WRITES) or 0


async def test_second_recompute_writes_no_row(sessions: Sessions) -> None:
    assert await recompute(sessions) == (BATCHES, 0, 0)
    async with sessions() as session:
        versions = (await session.execute(text("SELECT batch_id, xmin, ctid FROM discounts"))).all()
    written = await writes(sessions)
    assert written == 2 * BATCHES, "a discount and a line of the ledger each"
    assert await recompute(sessions) == (0, 0, 0)
    assert await writes(sessions) == written
    async with sessions() as session:
        again = (await session.execute(text("SELECT batch_id, xmin, ctid FROM discounts"))).all()
    assert sorted(map(tuple, again)) == sorted(map(tuple, versions))


async def test_second_of_two_simultaneous_recomputes_waits_and_changes_nothing(sessions: Sessions) -> None:
    async with sessions() as first:
        await first.begin()
        assert (await recompute_all_discounts(first, now=NOON)).opened == BATCHES
        second = asyncio.create_task(recompute(sessions))
        async with sessions() as watching:
            await until_somebody_waits(watching)
        assert not second.done()
        await first.commit()
    assert await second == (0, 0, 0)
    assert await number_of(sessions, PriceDecision) == BATCHES


async def test_simultaneous_recomputes_open_every_discount_once(sessions: Sessions) -> None:
    done = await asyncio.gather(*(recompute(sessions) for _ in range(5)))
    assert sorted(done) == [(0, 0, 0)] * 4 + [(BATCHES, 0, 0)]
    assert await number_of(sessions, Discount) == await number_of(sessions, PriceDecision) == BATCHES


async def test_recompute_that_fails_in_the_middle_leaves_nothing(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        # The ledger refuses its rows after the discounts have been written.
        await session.execute(text("ALTER TABLE price_decisions ADD CHECK (quantity > 10000)"))
    with pytest.raises(Exception, match="price_decisions"):
        await recompute(sessions)
    assert await number_of(sessions, Discount) == 0


_RECOMPUTE_AND_STAY = """
import asyncio, sys
from datetime import datetime
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from flexiprice.db.engine import create_engine
from flexiprice.pricing.recompute import recompute_all_discounts
from flexiprice.settings import load_settings

async def main(url, now):
    engine = create_engine(load_settings(env_files=(), database_url=url), application_name="killed")
    async with AsyncSession(engine) as session, session.begin():
        await recompute_all_discounts(session, now=datetime.fromisoformat(now))
        print("written", flush=True)
        await session.execute(select(func.pg_sleep(600)))

asyncio.run(main(*sys.argv[1:]))
"""


async def test_killed_client_leaves_neither_work_nor_lock(sessions: Sessions, database_url: str) -> None:
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _RECOMPUTE_AND_STAY,
        database_url,
        NOON.isoformat(),
        stdout=asyncio.subprocess.PIPE,
    )
    assert client.stdout is not None
    assert await client.stdout.readline() == b"written\n"
    client.kill()
    await client.wait()
    async with asyncio.timeout(120):
        assert await recompute(sessions) == (BATCHES, 0, 0)
    assert await number_of(sessions, PriceDecision) == BATCHES


async def test_recompute_waits_for_the_deletion_of_a_batch(sessions: Sessions) -> None:
    await recompute(sessions)
    async with sessions() as deleting:
        await deleting.begin()
        batch = (await deleting.scalars(select(Batch).limit(1))).one()
        await close_discounts_of_deleted(deleting, [batch.id], NOON)
        await deleting.delete(batch)
        waiting = asyncio.create_task(recompute(sessions))
        async with sessions() as watching:
            await until_somebody_waits(watching)
        await deleting.commit()
    assert await waiting == (0, 0, 0)
    assert await number_of(sessions, Discount) == BATCHES - 1


async def test_stock_that_moves_while_a_recompute_waits_is_seen_by_it(sessions: Sessions) -> None:
    await recompute(sessions)
    async with sessions() as first:
        await first.begin()
        await acquire(first, Lock.DISCOUNTS)
        second = asyncio.create_task(recompute(sessions))
        async with sessions() as watching:
            await until_somebody_waits(watching)
        await first.execute(update(Batch).values(quantity=60))
        await first.commit()
    assert await second == (0, BATCHES, 0)


async def test_refreshed_fingerprint_leaves_no_line_in_the_ledger(
    sessions: Sessions,
) -> None:
    await recompute(sessions)
    async with sessions.begin() as session:
        # Another category of no rules and no floor of its own prices alike, and so does another release of
        # FlexiPrice that computes fingerprints otherwise.
        await session.execute(update(Product).values(category="Other", category_key="other"))
        await session.execute(update(Discount).values(fingerprint=0))
    assert await recompute(sessions) == (0, 0, 0)
    assert await number_of(sessions, PriceDecision) == BATCHES
    async with sessions() as session:
        fingerprints = set(await session.scalars(select(Discount.fingerprint)))
    assert 0 not in fingerprints
    before = await writes(sessions)
    await recompute(sessions)
    assert await writes(sessions) == before
