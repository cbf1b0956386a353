"""Redis's report about itself, and the risks for jobs in it."""

import time
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from flexiprice.embedded.child_process import free_port
from flexiprice.errors import RedisUnavailable
from flexiprice.queue.admin.broker_info import BrokerRisk, read_broker_info
from flexiprice.queue.redis.connection import create_redis
from flexiprice.settings import load_settings


async def test_a_broker_tells_how_it_is_and_what_puts_jobs_at_risk(redis_url: str) -> None:
    client = create_redis(load_settings(env_files=(), redis_url=redis_url), client_name="flexiprice-tests")
    with redis.Redis.from_url(redis_url) as plain:
        plain.set("a", "b")
        before = plain.config_get("maxmemory*")
        try:
            began = time.monotonic()
            quiet = await read_broker_info(client)
            took = timedelta(seconds=time.monotonic() - began)
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
    assert timedelta(0) < quiet.answered_in <= took
    assert {BrokerRisk.EVICTS, BrokerRisk.NEARLY_FULL}.isdisjoint(quiet.risks)
    assert (BrokerRisk.FORGETS in quiet.risks) is not quiet.appends
    assert tight.eviction_policy == "allkeys-lru"
    assert {BrokerRisk.EVICTS, BrokerRisk.NEARLY_FULL} <= set(tight.risks)


async def test_broker_info_of_a_redis_that_is_away_raises(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port(tmp_path / 'port')}/0"
    client = create_redis(load_settings(env_files=(), redis_url=url), client_name="flexiprice-tests")
    with pytest.raises(RedisUnavailable):
        await read_broker_info(client)
    await client.aclose(close_connection_pool=True)
