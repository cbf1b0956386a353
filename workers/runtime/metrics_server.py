"""A worker's metrics over HTTP, for Prometheus to come and read."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client.exposition import start_http_server
from prometheus_client.metrics_core import GaugeMetricFamily

from flexiprice.errors import InvalidSettings
from flexiprice.metrics import FleetSnapshot, Metrics, ReadOnScrape, snapshot_families
from flexiprice.settings import PREFIX
from flexiprice.telemetry import get_logger

_LOGGER = get_logger(__name__)

# A scrape waits no longer for Redis; what this process measured is told without it.
_SNAPSHOT_SECONDS: Final = 2.0


@asynccontextmanager
async def serving_metrics(
    metrics: Metrics, *, host: str, port: int, snapshot: Callable[[], Awaitable[FleetSnapshot]]
) -> AsyncGenerator[int]:
    """Serves the metrics from threads, so that a blocked event loop can still be asked how it is.

    Args:
        metrics: what to serve, under every path.
        host: address to listen on.
        port: port to listen on; 0 for any that is free.
        snapshot: asks Redis, on the running loop; where it fails or takes long, its metrics are absent.

    Yields:
        The port.

    Raises:
        InvalidSettings: the port cannot be used.
    """
    loop = asyncio.get_running_loop()

    async def ask() -> FleetSnapshot:
        return await snapshot()

    def read() -> Iterator[GaugeMetricFamily]:
        answer = asyncio.run_coroutine_threadsafe(ask(), loop)
        try:
            return snapshot_families(answer.result(_SNAPSHOT_SECONDS))
        except Exception as error:  # noqa: BLE001 -- a scrape tells what can be told
            answer.cancel()
            _LOGGER.debug("metrics without those of Redis", error=str(error) or type(error).__name__)
            return snapshot_families(None)

    try:
        server, thread = start_http_server(port, host, metrics.registry)
    except OSError as error:
        raise InvalidSettings(
            f"{PREFIX}WORKER_METRICS_PORT: port {port} on {host} cannot be used ({error.strerror})"
        ) from error
    reader = ReadOnScrape(read)
    metrics.registry.register(reader)
    try:
        yield server.server_port
    finally:
        metrics.registry.unregister(reader)
        # It looks only now and then whether it is to end.
        await asyncio.to_thread(server.shutdown)
        thread.join()
        server.server_close()
