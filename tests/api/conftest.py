"""The application on real servers, and a client that speaks to it without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import structlog
from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr

from api.main import create_app
from flexiprice.settings import Settings, load_settings

BOOTSTRAP_KEY = "the-key-of-the-environment"
WITH_KEY = {"X-API-Key": BOOTSTRAP_KEY}

# Without locals: to show them all takes longer than a test should.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


@asynccontextmanager
async def serve(
    settings: Settings, *, peer: str = "127.0.0.1", **client_options
) -> AsyncIterator[AsyncClient]:
    """Runs the application with these settings for a client whose socket ends at `peer`.

    Where the settings have no key of the environment, they get one, and the client sends it. A client that
    is to send another key, or none, says so by its `headers`.
    """
    if settings.api_key is None:
        settings = settings.model_copy(update={"api_key": SecretStr(BOOTSTRAP_KEY)})
        client_options = {"headers": WITH_KEY} | client_options
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        # An exception that nobody handled must be seen as what a client would see.
        transport = ASGITransport(app, client=(peer, 40000), raise_app_exceptions=False)
        options = {"base_url": "http://127.0.0.1:8000", "headers": {}} | client_options
        async with AsyncClient(transport=transport, **options) as client:
            client.app = app
            yield client


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
