"""Builds the API's application: `uvicorn api.main:app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.middleware.cors import CORSMiddleware
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import openapi
from api.audit.buffer import open_audit_buffer
from api.audit.refusal_middleware import RefusalMiddleware
from api.audit.refusals import open_refusal_log
from api.lingering import LingeringClose
from api.loop_lag import measuring_loop_lag
from api.problems import install_problem_handlers
from api.request_context import REQUEST_ID_HEADER, RequestContext
from api.request_metrics import MeasuredRequests
from api.routers import (
    batches,
    bulk_batches,
    dead_letters,
    discounts,
    events,
    health,
    metrics,
    policies,
    price_list,
    prices,
    products,
    queues,
    recompute,
    runs,
    scans,
    schedules,
    start,
    stores,
    tasks,
    workers,
)
from api.security.admin_guard import LOOPBACK_IS_OPEN, KeyGuard, key_documentation
from api.security.authentication import KeyAuthenticator, bootstrap_key
from api.security.headers import SecurityHeaders
from api.security.rate_limit import FailedKeyLimiter
from api.serving import app_for_server
from api.shop_figures import ShopFigures
from api.swagger import add_docs
from api.traced_requests import TracedRequests
from api.transactions import Transactions
from api.url_prefix import UrlPrefix
from api.urls import ADMIN, API
from flexiprice.db.engine import pool_use
from flexiprice.metrics import Metrics
from flexiprice.resources import open_resources
from flexiprice.settings import Settings, load_settings
from flexiprice.telemetry import get_logger
from flexiprice.tracing import is_enabled, tracing

# First segments of all paths that this program serves.
_FIRST_SEGMENTS: Final = frozenset({"api", "docs", "openapi.json", "metrics"})
_LOGGER = get_logger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Builds the application; PostgreSQL and Redis are connected on first use.

    Args:
        settings: the settings; by default from the environment.

    Raises:
        InvalidSettings: a value cannot be used, or a server's URL is missing.
    """
    settings = settings or load_settings()
    settings.require_database_url()
    settings.require_redis_url()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with (
            tracing("flexiprice-api"),
            open_resources(settings, program="flexiprice-api") as resources,
        ):
            app.state.resources = resources
            app.state.transactions = Transactions(resources.engine, connections=settings.database_pool_size)
            failed_keys = FailedKeyLimiter(resources.redis, limit=settings.failed_key_limit)
            environment = [*bootstrap_key(settings), *metrics.metrics_key(settings)]
            app.state.key_authenticator = KeyAuthenticator(environment, resources.sessions, failed_keys)
            app.state.metrics = Metrics()
            app.state.metrics.expect_requests()
            app.state.shop_figures = ShopFigures(app.state.transactions)
            app.state.metrics.watch_database_pool(lambda: pool_use(resources.engine))
            if settings.open_loopback:
                _LOGGER.warning("loopback_is_open", reason=LOOPBACK_IS_OPEN)
            async with (
                measuring_loop_lag(app.state.metrics),
                open_audit_buffer(resources.sessions) as app.state.audit_buffer,
                open_refusal_log(app.state.audit_buffer) as app.state.refusals,
            ):
                yield

    app = FastAPI(
        title="FlexiPrice",
        version=version("flexiprice"),
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        lifespan=lifespan,
        generate_unique_id_function=openapi.operation_id,
        redirect_slashes=False,
        # FastAPI's own spans contain whole URLs, and its logs exception messages.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        openapi_url="/openapi.json" if settings.docs else None,
        docs_url=None,
        redoc_url=None,
    )
    _add_middleware(app, settings)
    install_problem_handlers(app)
    app.include_router(_admin())
    for public in (prices, health):
        app.include_router(public.router, prefix=API)
    app.include_router(metrics.router)
    app.include_router(start.router)
    if settings.docs:
        add_docs(app)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    return app


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    # The last one added is the outermost: rejected requests get an id, headers and a log line too.
    app.add_middleware(KeyGuard, prefixes=(ADMIN, metrics.PATH), open_loopback=settings.open_loopback)
    if settings.cors_origins:
        # Outside the guard: browsers send preflight requests without a key.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=[
                "Authorization",
                "X-API-Key",
                "Content-Type",
                "Idempotency-Key",
                REQUEST_ID_HEADER,
            ],
            expose_headers=[REQUEST_ID_HEADER, "Retry-After", "Location"],
        )
    app.add_middleware(RefusalMiddleware, prefixes=(ADMIN, metrics.PATH))
    app.add_middleware(LingeringClose)
    app.add_middleware(RequestContext)
    app.add_middleware(MeasuredRequests)
    if is_enabled():
        app.add_middleware(TracedRequests)
    app.add_middleware(SecurityHeaders, private_prefix=ADMIN)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    app.add_middleware(UrlPrefix, prefix=settings.url_prefix, own=_FIRST_SEGMENTS)


def _admin() -> APIRouter:
    admin = APIRouter(prefix=ADMIN, dependencies=key_documentation)
    for module in (
        recompute,
        discounts,
        policies,
        bulk_batches,
        batches,
        scans,
        events,
        price_list,
        products,
        stores,
    ):
        admin.include_router(module.router)
    # Before the tasks, whose path `/tasks/{task_id}` would match theirs.
    for module in (runs, dead_letters, tasks, queues, schedules, workers):
        admin.include_router(module.router)
    admin.include_router(runs.audit_router)
    return admin


def __getattr__(name: str) -> FastAPI:
    """Makes `app` when a server asks for it, so that importing this module needs no settings."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return app_for_server("flexiprice-api", create_app)
