"""`/metrics`: what Prometheus is told of this process, and of what Redis and PostgreSQL know of the rest."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from api.deps import OpenResources
from api.security.authentication import EnvironmentKey
from api.security.scopes import holder_in, require_scope
from api.shop_figures import ShopFigures
from api.transactions import Transactions
from flexiprice.access.key_ring import KeyHolder
from flexiprice.domain.access import Scope
from flexiprice.errors import FlexiPriceError
from flexiprice.metrics import CONTENT_TYPE, Metrics
from flexiprice.queue.admin.metrics_snapshot import take_snapshot
from flexiprice.settings import Settings
from flexiprice.snapshots import DatabaseSnapshot
from flexiprice.telemetry import get_logger

router = APIRouter(include_in_schema=False)
PATH: Final = "/metrics"
# No name that a key of the database may have, and no scope: it opens nothing else.
_SCRAPER: Final = KeyHolder("metrics key", ())

# A scrape waits no longer for Redis and PostgreSQL; what this process measured is told without them.
_PATIENCE_SECONDS: Final = 2.0

_log = get_logger(__name__)
_Known = TypeVar("_Known")


async def _metrics(request: Request) -> Metrics:
    metrics = request.app.state.metrics
    if not isinstance(metrics, Metrics):
        raise TypeError("the application was not started: its lifespan makes the metrics")
    return metrics


def metrics_key(settings: Settings) -> list[EnvironmentKey]:
    """The key that opens the metrics and nothing else, where it is set."""
    return [EnvironmentKey(_SCRAPER, settings.metrics_key)] if settings.metrics_key else []


async def _may_read(request: Request) -> None:
    if holder_in(request.scope) != _SCRAPER:
        require_scope(request.scope, Scope.READ)


@router.get(PATH, dependencies=[Depends(_may_read)])
async def read_metrics(
    request: Request, resources: OpenResources, metrics: Annotated[Metrics, Depends(_metrics)]
) -> Response:
    """Everything in Prometheus's text format; without what those know who do not answer."""
    transactions: Transactions = request.app.state.transactions
    figures: ShopFigures = request.app.state.shop_figures
    fleet, shop, writable = await asyncio.gather(
        _within_patience("redis", take_snapshot(resources.tasks)),
        _within_patience("shop", figures.read()),
        _within_patience("database", _is_writable(transactions)),
    )
    database = DatabaseSnapshot(takes_work=writable is not None)
    return Response(metrics.render(fleet, shop, database), media_type=CONTENT_TYPE)


async def _is_writable(transactions: Transactions) -> bool:
    await transactions.require_writable()
    return True


async def _within_patience(name: str, known: Awaitable[_Known]) -> _Known | None:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await known
    except (FlexiPriceError, RedisError, SQLAlchemyError, TimeoutError) as error:
        _log.debug("metrics_incomplete", without=name, error=str(error) or type(error).__name__)
    return None
