"""`/metrics`: what Prometheus is told of this process, and of what Redis knows of all others."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from redis.exceptions import RedisError

from api.deps import OpenResources
from api.key_check import EnvironmentKey
from api.scopes import holder_in, require_scope
from flexiprice.domain.access import Scope
from flexiprice.errors import FlexiPriceError
from flexiprice.jobs.fleet_snapshot import take_snapshot
from flexiprice.metrics import CONTENT_TYPE, FleetSnapshot, Metrics
from flexiprice.services.key_ring import KeyHolder
from flexiprice.settings import Settings
from flexiprice.telemetry import get_logger

router = APIRouter(include_in_schema=False)
PATH: Final = "/metrics"
# No name that a key of the database may have, and no scope: it opens nothing else.
_SCRAPER: Final = KeyHolder("metrics key", ())

# A scrape waits no longer for Redis; what this process measured is told without it.
_PATIENCE_SECONDS: Final = 2.0

_log = get_logger(__name__)


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
async def read_metrics(resources: OpenResources, metrics: Annotated[Metrics, Depends(_metrics)]) -> Response:
    """Everything in Prometheus's text format; without what Redis knows where Redis does not answer."""
    snapshot: FleetSnapshot | None = None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            snapshot = await take_snapshot(resources.tasks)
    except (FlexiPriceError, RedisError, TimeoutError) as error:
        _log.debug("metrics_without_redis", error=str(error) or type(error).__name__)
    return Response(metrics.render(snapshot), media_type=CONTENT_TYPE)
