"""Sizes, partitions and connections of the database."""

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.sizes import get_database_size
from tests.support.builders import a_batch


async def test_the_database_tells_its_size_its_partitions_and_who_is_connected(session: AsyncSession) -> None:
    now = datetime.now(UTC)
    await ensure_partitions(session, now=now)
    await a_batch(session)
    size = await get_database_size(session, now=now)
    assert int(size.version.split(".")[0]) >= 15
    assert size.missing_partitions == 0
    assert size.total_bytes > sum(table.total_bytes for table in size.tables) > 0
    assert [table.total_bytes for table in size.tables] == sorted(
        (table.total_bytes for table in size.tables), reverse=True
    )
    tables = {table.name: table for table in size.tables}
    partition = tables[f"price_decisions_{now:%Y_%m}"]
    assert (partition.parent, tables["batches"].parent) == ("price_decisions", None)
    assert tables["batches"].index_bytes > 0
    assert size.started_at < now
    assert size.connections < size.max_connections


async def test_rows_are_told_before_anything_was_analysed(engine: AsyncEngine) -> None:
    now = datetime.now(UTC)

    async def rows(*first: str) -> dict[str, int | None]:
        async with AsyncSession(engine) as session, session.begin():
            for statement in first:
                await session.execute(text(statement))
            return {table.name: table.rows for table in (await get_database_size(session, now=now)).tables}

    async with AsyncSession(engine) as session, session.begin():
        for _ in range(3):
            await a_batch(session)
        # As a server does within a second of a commit.
        await session.execute(text("SELECT pg_stat_force_next_flush()"))
    counted = await rows()
    assert (counted["batches"], counted["discounts"]) == (3, 0)
    forgotten = await rows("SELECT pg_stat_reset()")
    assert (forgotten["batches"], forgotten["discounts"]) == (None, 0)
    assert (await rows("ANALYZE batches"))["batches"] == 3
