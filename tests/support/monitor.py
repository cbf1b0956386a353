"""The monitor's guard and login without pages, on servers of the test's choice."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from api.audit.refusals import RefusalLog
from api.monitor import login
from api.monitor.auth.sessions import COOKIE, SessionAuthenticator, environment_keys
from api.monitor.auth.user import User
from api.monitor.context import MonitorContext
from api.monitor.middleware import SecurityMiddleware
from api.monitor.state.live import Live
from api.security.authentication import KeyAuthenticator
from api.security.rate_limit import FailedKeyLimiter
from flexiprice.resources import open_resources
from flexiprice.settings import load_settings
from tests.support.audit_buffer import RecordingAuditBuffer

FULL, READ = "the-full-key-of-the-monitor", "a-key-with-which-to-look-only"
UNREACHABLE = {"database_url": "postgresql://nobody@127.0.0.1:9/none", "redis_url": "redis://127.0.0.1:9/0"}
A_PAGE_ELSEWHERE = {"origin": "https://elsewhere.example"}


class WithMonitor:
    """Gives each request the monitor, as the lifespan does."""

    def __init__(self, app: ASGIApp, monitor: MonitorContext) -> None:
        self.app, self.monitor = app, monitor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["monitor"] = self.monitor
        await self.app(scope, receive, send)


async def open_monitor(
    writer: RecordingAuditBuffer | None = None, **settings: Any
) -> AsyncIterator[tuple[MonitorContext, ASGIApp]]:
    """The guard and the login before a page and a web socket; no server is there."""
    loaded = load_settings(env_files=(), **{**UNREACHABLE, **settings})
    async with open_resources(loaded, program="flexiprice-tests") as resources:
        failed_keys = FailedKeyLimiter(resources.redis, limit=3)
        key_authenticator = KeyAuthenticator(environment_keys(loaded), resources.sessions, failed_keys)
        auth = SessionAuthenticator(loaded, key_authenticator, resources.sessions)
        monitor = MonitorContext(
            resources, Live(resources), auth, RefusalLog(writer or RecordingAuditBuffer())
        )
        app = FastAPI()
        app.include_router(login.router)
        app.add_api_route("/tasks", lambda: PlainTextResponse("the page"), methods=["GET", "POST"])
        app.router.routes.append(WebSocketRoute("/_nicegui_ws/", greet))
        app.add_middleware(SecurityMiddleware)
        yield monitor, WithMonitor(app, monitor)


async def greet(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


def client(app: ASGIApp, address: str = "127.0.0.1", **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:5555", **options)


async def logged_in(monitor: MonitorContext, presented: str) -> tuple[User, str]:
    """A user who has logged in, and the id of the session."""
    opened = await monitor.auth.log_in(presented, address="203.0.113.7")
    assert opened is not None
    return opened


def with_session(session_id: str) -> dict[str, Any]:
    """The scope of a request with a session's cookie."""
    return {"type": "http", "headers": [(b"cookie", f"{COOKIE}={session_id}".encode())]}
