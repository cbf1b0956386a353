"""What Redis and PostgreSQL say of themselves, and what about it puts jobs at risk."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.db.partitions import ensure_partitions
from flexiprice.db.sizes import get_database_size
from flexiprice.embedded.child_process import free_port
from flexiprice.errors import RedisUnavailable
from flexiprice.queue.admin.broker_info import BrokerRisk, read_broker_info
from flexiprice.queue.redis.connection import create_redis
from flexiprice.settings import load_settings
from tests.support.builders import a_batch


async def test_a_broker_tells_how_it_is_and_what_puts_jobs_at_risk(redis_url: str) -> None:
    client = create_redis(load_settings(env_files=(), redis_url=redis_url), client_name="flexiprice-tests")
    with redis.Redis.from_url(redis_url) as plain:
        plain.set("a", "b")
        before = plain.config_get("maxmemory*")
        try:
            quiet = await read_broker_info(client)
            plain.config_set("maxmemory-policy", "allkeys-lru")
            plain.config_set("maxmemory", quiet.used_memory * 105 // 100)
            tight = await read_broker_info(client)
        finally:
            for name in ("maxmemory", "maxmemory-policy"):
                plain.config_set(name, before[name])
            await client.aclose(close_connection_pool=True)
    assert quiet.product in {"Redis", "Valkey"}
    assert quiet.version[0].isdigit()
    assert quiet.keys >= 1
    assert (quiet.role, quiet.max_memory) == ("master", None)
    assert quiet.clients >= 2
    assert 0 < quiet.used_memory <= quiet.peak_memory
    assert timedelta(0) < quiet.answered_in < timedelta(seconds=5)
    assert {BrokerRisk.EVICTS, BrokerRisk.NEARLY_FULL}.isdisjoint(quiet.risks)
    assert (BrokerRisk.FORGETS in quiet.risks) is not quiet.appends
    assert tight.eviction_policy == "allkeys-lru"
    assert {BrokerRisk.EVICTS, BrokerRisk.NEARLY_FULL} <= set(tight.risks)


async def test_a_broker_that_is_away_is_said_to_be(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port(tmp_path / 'port')}/0"
    client = create_redis(load_settings(env_files=(), redis_url=url), client_name="flexiprice-tests")
    with pytest.raises(RedisUnavailable):
        await read_broker_info(client)
    await client.aclose(close_connection_pool=True)


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
