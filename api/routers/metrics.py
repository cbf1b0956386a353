"""`/metrics`: metrics of this process, of all workers and of the shop, in Prometheus's format."""

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
# A name that no database key may have, and no scope: it grants access to nothing else.
_SCRAPER: Final = KeyHolder("metrics key", ())

# After this time, a scrape returns the metrics of this process without those of Redis or PostgreSQL.
_READ_TIMEOUT_SECONDS: Final = 2.0

_LOGGER = get_logger(__name__)
_Reading = TypeVar("_Reading")


async def _metrics(request: Request) -> Metrics:
    metrics = request.app.state.metrics
    if not isinstance(metrics, Metrics):
        raise TypeError("the application was not started: its lifespan makes the metrics")
    return metrics


def metrics_key(settings: Settings) -> list[EnvironmentKey]:
    """Returns the key `FLEXIPRICE_METRICS_KEY`, if it is set; it grants access only to the metrics."""
    return [EnvironmentKey(_SCRAPER, settings.metrics_key)] if settings.metrics_key else []


async def _may_read(request: Request) -> None:
    if holder_in(request.scope) != _SCRAPER:
        require_scope(request.scope, Scope.READ)


@router.get(PATH, dependencies=[Depends(_may_read)])
async def read_metrics(
    request: Request, resources: OpenResources, metrics: Annotated[Metrics, Depends(_metrics)]
) -> Response:
    """Renders all metrics in Prometheus's text format, without those of unavailable servers."""
    transactions: Transactions = request.app.state.transactions
    figures: ShopFigures = request.app.state.shop_figures
    workers, shop, writable = await asyncio.gather(
        _with_timeout("redis", take_snapshot(resources.tasks)),
        _with_timeout("shop", figures.read()),
        _with_timeout("database", _is_writable(transactions)),
    )
    database = DatabaseSnapshot(takes_work=writable is not None)
    return Response(metrics.render(workers, shop, database), media_type=CONTENT_TYPE)


async def _is_writable(transactions: Transactions) -> bool:
    await transactions.require_writable()
    return True


async def _with_timeout(name: str, reading: Awaitable[_Reading]) -> _Reading | None:
    try:
        async with asyncio.timeout(_READ_TIMEOUT_SECONDS):
            return await reading
    except (FlexiPriceError, RedisError, SQLAlchemyError, TimeoutError) as error:
        _LOGGER.debug("metrics_incomplete", without=name, error=str(error) or type(error).__name__)
    return None
