"""`/metrics`: what Prometheus is told of this process, and of what Redis knows of all others."""

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from api.deps import Now, OpenResources
from flexiprice.errors import RedisUnavailable
from flexiprice.jobs.fleet_snapshot import take_snapshot
from flexiprice.metrics import CONTENT_TYPE, FleetSnapshot, Metrics
from flexiprice.telemetry import get_logger

router = APIRouter(include_in_schema=False)

# A scrape waits no longer for Redis; what this process measured is told without it.
_PATIENCE_SECONDS: Final = 2.0

_log = get_logger(__name__)


async def _metrics(request: Request) -> Metrics:
    metrics = request.app.state.metrics
    if not isinstance(metrics, Metrics):
        raise TypeError("the application was not started: its lifespan makes the metrics")
    return metrics


@router.get("/metrics")
async def read_metrics(
    resources: OpenResources, now: Now, metrics: Annotated[Metrics, Depends(_metrics)]
) -> Response:
    """Everything in Prometheus's text format; without what Redis knows where Redis does not answer."""
    snapshot: FleetSnapshot | None = None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            snapshot = await take_snapshot(resources.tasks, now=now)
    except (RedisUnavailable, TimeoutError) as error:
        _log.debug("metrics_without_redis", error=str(error) or type(error).__name__)
    return Response(metrics.render(snapshot), media_type=CONTENT_TYPE)
