"""The monitor's ASGI application: `uvicorn api.monitor.main:app --port 5555`."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from nicegui import app as nicegui_app
from nicegui import ui
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.audit.buffer import open_audit_buffer
from api.audit.refusals import open_refusal_log
from api.lingering import LingeringClose
from api.monitor import login
from api.monitor.auth.sessions import SessionAuthenticator, environment_keys
from api.monitor.components.manual import HELP
from api.monitor.context import MonitorContext
from api.monitor.layout import SECTIONS, show_not_found
from api.monitor.login import LOGOUT
from api.monitor.middleware import LOGIN, SecurityMiddleware
from api.monitor.state.live import Live
from api.request_context import RequestContext
from api.security.admin_guard import LOOPBACK_IS_OPEN
from api.security.authentication import KeyAuthenticator
from api.security.rate_limit import FailedKeyLimiter
from api.security.small_bodies import SmallBodies
from api.serving import app_for_server
from api.url_prefix import UrlPrefix
from flexiprice.docs.pages import IMAGES
from flexiprice.queue.redis.cancellation import cancel_and_wait
from flexiprice.resources import open_resources
from flexiprice.settings import Settings, load_settings
from flexiprice.telemetry import get_logger

_log = get_logger(__name__)

ASSETS: Final = Path(__file__).parent / "static"
_PAGES: Final = Path(__file__).parent / "pages"
# First segments of all paths that the monitor serves.
_FIRST_SEGMENTS: Final = frozenset(
    {"assets", "health", "favicon.ico", "_nicegui", "_nicegui_ws"}
    | {path.lstrip("/") for path in (LOGIN, LOGOUT, *(section.path for section in SECTIONS[1:]))}
)
# Not logged: a page requests dozens of these.
_QUIET: Final = ("/_nicegui/", "/assets/", "/favicon.ico")
# A tab that was suspended for longer reloads its page.
_RECONNECT_SECONDS: Final = 20.0


def create_app(settings: Settings | None = None) -> FastAPI:
    """Creates the application; call it once per process. Connections are opened on first use.

    Args:
        settings: by default read from the environment.

    Raises:
        InvalidSettings: a value is invalid, or a server's URL is missing.
    """
    settings = settings or load_settings()
    settings.require_database_url()
    settings.require_redis_url()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, MonitorContext], None]:
        async with open_resources(settings, program="flexiprice-monitor") as resources:
            failed_keys = FailedKeyLimiter(resources.redis, limit=settings.failed_key_limit)
            key_authenticator = KeyAuthenticator(environment_keys(settings), resources.sessions, failed_keys)
            auth = SessionAuthenticator(settings, key_authenticator, resources.sessions)
            if settings.open_loopback:
                _log.warning("loopback_is_open", reason=LOOPBACK_IS_OPEN)
            live = Live(resources)
            background = [
                asyncio.create_task(live.run()),
                asyncio.create_task(auth.sessions.refresh_forever()),
            ]
            try:
                async with (
                    open_audit_buffer(resources.sessions) as writer,
                    open_refusal_log(writer) as refusals,
                ):
                    # Every request has it as `request.state.monitor`, also inside the mounted NiceGUI.
                    yield {"monitor": MonitorContext(resources, live, auth, refusals)}
            finally:
                for task in background:
                    await cancel_and_wait(task)

    app = FastAPI(title="FlexiPrice monitor", lifespan=lifespan, openapi_url=None)
    app.add_middleware(SecurityMiddleware)
    # Before authentication, which queries PostgreSQL: an endless body must not get that far.
    app.add_middleware(SmallBodies, paths=frozenset({LOGIN, LOGOUT}), time_limit=settings.body_timeout)
    app.add_middleware(LingeringClose)
    # Outside the others, so that refusals get a request id and a log line too.
    app.add_middleware(RequestContext, quiet=_QUIET)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    app.add_middleware(UrlPrefix, prefix=settings.url_prefix, own=_FIRST_SEGMENTS)
    app.include_router(login.router)
    app.mount("/assets", StaticFiles(directory=ASSETS))
    app.mount(f"{HELP}/{IMAGES.name}", StaticFiles(directory=IMAGES, check_dir=False))
    app.add_api_route("/health/live", _report_liveness, methods=["GET", "HEAD"])
    for module in sorted(_PAGES.glob("[a-z]*.py")):
        import_module(f"api.monitor.pages.{module.stem}")
    nicegui_app.exception_handler(404)(show_not_found)
    ui.run_with(
        app,
        title="FlexiPrice monitor",
        favicon=ASSETS / "favicon.svg",
        dark=None,
        language="en-GB",
        reconnect_timeout=_RECONNECT_SECONDS,
        binding_refresh_interval=None,
        tailwind=False,
        show_welcome_message=False,
    )
    return app


async def _report_liveness() -> dict[str, str]:
    return {"status": "alive"}


def __getattr__(name: str) -> FastAPI:
    """Makes `app` when a server asks for it, so that importing this module needs no settings."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    app = app_for_server("flexiprice-monitor", create_app)
    logging.getLogger("uvicorn.error").addFilter(_is_worth_logging)
    return app


def _is_worth_logging(record: logging.LogRecord) -> bool:
    # Every page opens a web socket, and its URL holds the id of the browser.
    return record.levelno > logging.INFO or not str(record.msg).startswith(("connection ", '%s - "WebSocket'))
