"""A worker that starts before its Redis logs at once that it waits, and at last that it gave up."""

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from workers.runtime.redis_retry import StartupRetry

# Nothing listens there.
NO_WORKER = "redis://:a-secret@127.0.0.1:1/0"


async def test_a_worker_says_that_it_waits_for_redis_and_at_last_that_it_does_not_answer() -> None:
    async with Redis.from_url(NO_WORKER, retry=StartupRetry(attempts=3)) as client:
        with capture_logs() as logs, pytest.raises(SystemExit) as ended:
            await client.ping()
    assert [line["event"] for line in logs] == ["redis_unavailable"]
    assert "FLEXIPRICE_REDIS_URL: Redis does not answer" in str(ended.value)
    assert "a-secret" not in str(ended.value)
