"""Settings of workers that run in the test's own process."""

import pytest

from flexiprice.settings import Settings, load_settings


@pytest.fixture
def settings(workers_database_url: str, redis_url: str) -> Settings:
    """The toy tasks have no effects in the database, so it need not be each test's own."""
    return load_settings(env_files=(), database_url=workers_database_url, redis_url=redis_url)
