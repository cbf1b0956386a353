"""The application: `uvicorn api.main:app`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI

from api import openapi
from api.paths import ADMIN, API
from api.problems import install_problem_handlers
from api.request_context import RequestContext
from api.routers import (
    batches,
    bulk_batches,
    discounts,
    health,
    metrics,
    policies,
    prices,
    products,
    queues,
    recompute,
    runs,
    schedules,
    stores,
    tasks,
    workers,
)
from api.security import AdminGuard, key_documentation
from flexiprice.db.pool_use import pool_use
from flexiprice.errors import InvalidSettings
from flexiprice.metrics import Metrics
from flexiprice.resources import open_resources
from flexiprice.settings import Settings, load_settings
from flexiprice.telemetry import configure_logging


def create_app(settings: Settings | None = None) -> FastAPI:
    """Builds the application; its servers are connected to on first use.

    Args:
        settings: where the servers are, and who may use `/admin`; by default from the environment.

    Raises:
        InvalidSettings: a value cannot be used, or a server's URL is missing.
    """
    settings = settings or load_settings()
    settings.require_database_url()
    settings.require_redis_url()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with open_resources(settings, program="flexiprice-api") as resources:
            app.state.resources = resources
            app.state.metrics = Metrics()
            app.state.metrics.watch_database_pool(lambda: pool_use(resources.engine))
            yield

    app = FastAPI(
        title="FlexiPrice",
        version=version("flexiprice"),
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.add_middleware(AdminGuard, prefix=ADMIN, api_key=settings.api_key)
    # Added last, so that it is the outermost: a refusal gets an id and a line in the log too.
    app.add_middleware(RequestContext)
    install_problem_handlers(app)
    app.include_router(_admin())
    for public in (prices, health):
        app.include_router(public.router, prefix=API)
    app.include_router(metrics.router)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    return app


def _admin() -> APIRouter:
    admin = APIRouter(prefix=ADMIN, dependencies=key_documentation)
    for module in (recompute, discounts, policies, bulk_batches, batches, products, stores):
        admin.include_router(module.router)
    # Before the tasks: a run's path would otherwise be read as a task's.
    for module in (runs, tasks, queues, schedules, workers):
        admin.include_router(module.router)
    admin.include_router(runs.audit_router)
    return admin


def __getattr__(name: str) -> FastAPI:
    """Makes `app` when a server asks for it, so that importing this module needs no settings."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        settings = load_settings()
        app = create_app(settings)
    except InvalidSettings as error:
        # One line for whoever starts the server, instead of a traceback through it.
        raise SystemExit(f"flexiprice-api: {error.message}") from None
    configure_logging(settings)
    return app
