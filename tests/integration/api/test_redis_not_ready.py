"""While Redis refuses commands for a time, the API answers 503 with Retry-After and the reason."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from httpx import AsyncClient

from flexiprice.settings import load_settings
from tests.support.api_server import serve
from tests.support.catalogue import ADMIN
from tests.support.redis_not_ready import UnreadyRedis, unready_server

WRITES = [
    f"{ADMIN}/discounts/trigger-recompute",
    f"{ADMIN}/queues/discounts/pause",
    f"{ADMIN}/schedules/recompute_all_discounts/pause",
    f"{ADMIN}/schedules/recompute_all_discounts/run",
]
READS = [f"{ADMIN}/queues", f"{ADMIN}/tasks/active", f"{ADMIN}/workers", f"{ADMIN}/schedules"]
REFUSES_READS = {"MASTERDOWN", "BUSY"}


@pytest.fixture
def unready_redis(tmp_path: Path) -> Iterator[UnreadyRedis]:
    """A Redis of the test's own."""
    with unready_server(tmp_path) as server:
        yield server


@pytest.fixture
async def client(database_url: str, unready_redis: UnreadyRedis) -> AsyncIterator[AsyncClient]:
    """A client of an application on that Redis."""
    settings = load_settings(env_files=(), database_url=database_url, redis_url=unready_redis.url)
    async with serve(settings) as client:
        yield client


def words(sentence: str) -> set[str]:
    return set(re.findall(r"\w+", sentence))


@pytest.mark.parametrize("kind", ["NOREPLICAS", "MISCONF", "MASTERDOWN", "READONLY", "OOM", "BUSY"])
async def test_temporary_refusal_of_redis_is_503_with_the_reason_and_heals_by_itself(
    client: AsyncClient, unready_redis: UnreadyRedis, kind: str
) -> None:
    with unready_redis.refusing(kind):
        for path in WRITES:
            answer = await client.post(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "redis_unavailable"), answer.text
            assert int(answer.headers["retry-after"]) > 0
            # A replica refuses a plain write before it looks for its master.
            assert {kind, "READONLY" if kind == "MASTERDOWN" else kind} & words(answer.json()["detail"])
        for path in READS:
            answer = await client.get(path)
            assert answer.status_code == (503 if kind in REFUSES_READS else 200), answer.text
        ready = await client.get("/api/v1/health/ready")
        assert ready.status_code == 503
        why = words(ready.json()["checks"]["redis"]["detail"])
        assert {kind, "READONLY" if kind == "MASTERDOWN" else kind} & why
        assert (await client.get("/metrics")).status_code == 200

    assert (await client.post(WRITES[0])).status_code == 202
