"""Workers as processes of arq's own command."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest

from flexiprice.settings import Settings, load_settings
from tests.support.paths import ROOT
from tests.support.workers import StartWorker


@pytest.fixture
def settings(workers_database_url: str, redis_url: str) -> Settings:
    """The toy tasks have no effects in the database, so it need not be each test's own."""
    return load_settings(env_files=(), database_url=workers_database_url, redis_url=redis_url)


@pytest.fixture
def start_worker(settings: Settings) -> Iterator[StartWorker]:
    """Starts the toy worker, or another, by arq's command; what still runs is killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(
        module: str = "tests.support.toy_worker",
        environment: Mapping[str, str] = MappingProxyType({}),
        **overrides: str,
    ) -> subprocess.Popen[str]:
        variables = {
            **os.environ,
            **environment,
            "FLEXIPRICE_DATABASE_URL": settings.require_database_url(),
            "FLEXIPRICE_REDIS_URL": settings.require_redis_url(),
            **{f"FLEXIPRICE_{name.upper()}": value for name, value in overrides.items()},
        }
        worker = subprocess.Popen(
            [sys.executable, "-m", "arq", f"{module}.WorkerSettings"],
            cwd=ROOT,
            env=variables,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()
        worker.communicate(timeout=120)
