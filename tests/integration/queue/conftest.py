"""Settings of queues whose jobs leave nothing in the database."""

from collections.abc import AsyncIterator

import pytest

from flexiprice.settings import Settings, load_settings
from tests.support.workers import running
from workers.runtime.process import WorkerProcess


@pytest.fixture
def settings(workers_database_url: str, redis_url: str) -> Settings:
    """The toy tasks have no effects in the database, so it need not be each test's own."""
    return load_settings(env_files=(), database_url=workers_database_url, redis_url=redis_url)


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[WorkerProcess]:
    """A worker of the toy tasks."""
    async with running(settings) as process:
        yield process
