"""The application on real servers, and a client that speaks to it without a socket."""

from collections.abc import AsyncIterator

import pytest
import structlog
from httpx import AsyncClient

from flexiprice.settings import Settings, load_settings
from tests.support.api_server import BOOTSTRAP_KEY, WITH_KEY, serve

# Without locals: to show them all takes longer than a test should.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[AsyncClient]:
    """A client that sends the key of the environment."""
    async with serve(settings) as client:
        yield client


@pytest.fixture
def shared_settings(shared_database_url: str, redis_url: str) -> Settings:
    """Settings for tests that write nothing to the database, which spares them one of their own."""
    return load_settings(env_files=(), database_url=shared_database_url, redis_url=redis_url)


@pytest.fixture
async def reader(shared_settings: Settings) -> AsyncIterator[AsyncClient]:
    """As `client`, for tests that write nothing to the database."""
    async with serve(shared_settings) as client:
        yield client


@pytest.fixture
def nowhere() -> str:
    """The address of a port on which nothing listens."""
    return "127.0.0.1:1"


@pytest.fixture
async def client_without_redis(database_url: str, nowhere: str) -> AsyncIterator[AsyncClient]:
    """A client of an application whose Redis is down."""
    settings = load_settings(env_files=(), database_url=database_url, redis_url=f"redis://{nowhere}")
    async with serve(settings) as client:
        yield client


@pytest.fixture
async def client_without_database(redis_url: str, nowhere: str) -> AsyncIterator[AsyncClient]:
    """A client, with the environment's key, of an application whose database is down."""
    url = f"postgresql://nobody:secret-word@{nowhere}/none"
    settings = load_settings(env_files=(), database_url=url, redis_url=redis_url, api_key=BOOTSTRAP_KEY)
    async with serve(settings, headers=WITH_KEY) as client:
        yield client
