"""Fixtures that every test may use: real servers, a fresh database, an empty Redis, settings for them.

`session` is the cheapest way to a migrated database: a transaction that is rolled back. A test that
commits, or that starts programs, asks for `settings`, `engine` or `database_url` and gets a database of
its own; `session` then works on that one too.
"""

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import count
from types import SimpleNamespace

import hypothesis
import pytest
import structlog
from arq.connections import ArqRedis
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from flexiprice.db.engine import create_engine
from flexiprice.db.migrate import upgrade
from flexiprice.embedded.servers import ServerUrls
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.redis.connection import create_redis
from flexiprice.settings import PREFIX, Settings, load_settings
from tests.support import servers

_NUMBERS = count(1)
_TEST_VARIABLES = {servers.OTHER_POSTGRES, servers.OTHER_REDIS}

# The developer's environment must not decide how a test ends.
for _name in [name for name in os.environ if name.startswith(PREFIX) and name not in _TEST_VARIABLES]:
    del os.environ[_name]
# Nor the width of a terminal, which pytest-xdist sets.
os.environ.pop("COLUMNS", None)

# Nor must signals that it ignores for background programs, which programs of a test would inherit.
for _signal, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _handler)

# No test asserts how long something takes; a busy machine exceeds the default of 200 ms an example.
hypothesis.settings.register_profile("flexiprice", deadline=None)
hypothesis.settings.load_profile("flexiprice")

# By default structlog shows every variable of every frame of a traceback, which blocks the event loop of a
# worker under test for seconds.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Restores the logging configuration that a program in the test's process changed."""
    root, configuration = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.configure(**configuration)
    root.handlers[:] = handlers
    root.setLevel(level)
    _forget_loggers()


def _forget_loggers() -> None:
    # A logger that was first used while a program had configured logging keeps that configuration for good.
    for name, module in list(sys.modules.items()):
        if name.startswith(("flexiprice.", "api.", "workers.")):
            for attribute in ("_LOGGER", "_log"):
                vars(getattr(module, attribute, SimpleNamespace())).pop("_logger", None)


@pytest.fixture(scope="session")
def server_urls() -> Iterator[ServerUrls]:
    """A PostgreSQL and a Redis for this run of the tests."""
    with servers.running_servers(os.environ) as urls:
        yield urls


@pytest.fixture(scope="session")
def postgres_url(server_urls: ServerUrls) -> str:
    """A PostgreSQL server on which the tests may make databases."""
    return server_urls.database_url


@pytest.fixture(scope="session")
def template_database(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database to copy; nothing may connect to it."""
    name = servers.unique("template")
    with servers.database(postgres_url, name) as url:
        upgrade(url)
        yield name


@pytest.fixture(scope="session")
def shared_database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """A migrated database for all tests that leave no trace in it."""
    with servers.database(postgres_url, servers.unique("shared"), template=template_database) as url:
        yield url


@pytest.fixture(scope="session")
def workers_database_url(postgres_url: str, template_database: str) -> Iterator[str]:
    """A database for all workers that leave nothing in it but the history of their runs."""
    with servers.database(postgres_url, servers.unique("workers"), template=template_database) as url:
        yield url


@pytest.fixture
async def empty_database_url(postgres_url: str) -> AsyncIterator[str]:
    """A database of the test's own in which nothing is migrated."""
    name = f"{servers.unique('empty')}_{next(_NUMBERS)}"
    await servers.execute(postgres_url, servers.create(name, "template1"))
    yield servers.with_database(postgres_url, name)
    await servers.execute(postgres_url, servers.drop(name))


@pytest.fixture
async def database_url(postgres_url: str, template_database: str) -> AsyncIterator[str]:
    """A migrated database of the test's own."""
    name = f"{servers.unique('own')}_{next(_NUMBERS)}"
    await servers.execute(postgres_url, servers.create(name, template_database))
    yield servers.with_database(postgres_url, name)
    await servers.execute(postgres_url, servers.drop(name))


@pytest.fixture
def redis_url(server_urls: ServerUrls) -> str:
    """A Redis database that is empty at the test's start."""
    servers.flush(server_urls.redis_url)
    return server_urls.redis_url


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    """Settings that name the test's own database and Redis, everything else at its default."""
    return load_settings(env_files=(), database_url=database_url, redis_url=redis_url)


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    """The environment of a program that is to work on the test's own database and Redis."""
    return {
        **os.environ,
        "FLEXIPRICE_DATABASE_URL": settings.require_database_url(),
        "FLEXIPRICE_REDIS_URL": settings.require_redis_url(),
    }


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    """A client with our codec."""
    client = create_redis(settings, client_name="flexiprice-tests")
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
async def queue(redis: ArqRedis, settings: Settings) -> AsyncIterator[TaskQueue]:
    """The producers' side."""
    tasks = TaskQueue(redis, settings)
    yield tasks
    await tasks.aclose()


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """An engine on the test's own database."""
    engine = create_engine(settings, application_name="flexiprice-tests")
    yield engine
    await engine.dispose()


@pytest.fixture
def session_url(request: pytest.FixtureRequest) -> str:
    """Where `session` works: on the test's own database where it has one, else on the shared one."""
    owned = "database_url" in request.fixturenames
    return str(request.getfixturevalue("database_url" if owned else "shared_database_url"))


@pytest.fixture
async def session(session_url: str) -> AsyncIterator[AsyncSession]:
    """A session in an open transaction that is rolled back at the end."""
    settings = load_settings(env_files=(), database_url=session_url)
    engine = create_engine(settings, application_name="flexiprice-tests")
    try:
        async with AsyncSession(engine, expire_on_commit=False) as session:
            await session.begin()
            yield session
            await session.rollback()
    finally:
        await engine.dispose()
