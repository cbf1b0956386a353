"""The API in the test's own process, or behind a socket, on the test's own servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from httpx import ASGITransport, AsyncClient
from pydantic import SecretStr
from uvicorn import Config, Server

from api.main import create_app
from flexiprice.resources import Resources
from flexiprice.settings import Settings
from tests.support.catalogue import ADMIN

BOOTSTRAP_KEY = "the-key-of-the-environment"
WITH_KEY = {"X-API-Key": BOOTSTRAP_KEY}


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
        # An unhandled exception must appear as a client would see it.
        transport = ASGITransport(app, client=(peer, 40000), raise_app_exceptions=False)
        options = {"base_url": "http://127.0.0.1:8000", "headers": {}} | client_options
        async with AsyncClient(transport=transport, **options) as client:
            client.app = app
            yield client


@asynccontextmanager
async def listening(app, http) -> AsyncIterator[int]:
    """The port of a server with the application."""
    config = Config(app, port=0, http=http, lifespan="auto", log_config=None)
    config.load()
    server = Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        await server.shutdown()


def resources_of(client) -> Resources:
    return client.app.state.resources


async def changes(client) -> list[tuple[str, str]]:
    """Actions and targets of the audit log, the latest first."""
    items = (await client.get(f"{ADMIN}/audit?outcome=done")).json()["items"]
    return [(item["action"], item["target"]) for item in items]
