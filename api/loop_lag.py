"""Measures the lag of the API's event loop for the metrics."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from flexiprice.metrics import Metrics
from flexiprice.queue.redis.cancellation import cancel_and_wait

_EVERY_SECONDS: Final = 0.25


@asynccontextmanager
async def measuring_loop_lag(metrics: Metrics) -> AsyncGenerator[None]:
    """Measures the running event loop while the context lasts."""
    measuring = asyncio.create_task(_measure(metrics), name="loop lag")
    try:
        yield
    finally:
        await cancel_and_wait(measuring)


async def _measure(metrics: Metrics) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _EVERY_SECONDS
        await asyncio.sleep(_EVERY_SECONDS)
        metrics.observe_loop_lag(max(0.0, loop.time() - due))
