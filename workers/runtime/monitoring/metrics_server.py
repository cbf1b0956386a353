"""Serves a worker's metrics over HTTP for Prometheus."""

import asyncio
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, cast

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.exposition import start_http_server
from prometheus_client.metrics_core import GaugeMetricFamily
from pydantic import SecretStr

from flexiprice.errors import InvalidSettings
from flexiprice.metrics import Metrics, ReadOnScrape
from flexiprice.settings import PREFIX
from flexiprice.snapshots import WorkersSnapshot
from flexiprice.telemetry import get_logger

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_LOGGER = get_logger(__name__)

# A scrape waits at most this long for Redis; without it, it has only the metrics of this process.
_SNAPSHOT_SECONDS: Final = 2.0
_KEY_REQUIRED: Final = (
    b"send FLEXIPRICE_METRICS_KEY as `Authorization: Bearer ...`; it must be set for this worker "
    b"(`openssl rand -hex 24` makes a good one)\n"
)


@asynccontextmanager
async def serving_metrics(
    metrics: Metrics,
    *,
    host: str,
    port: int,
    keys: Collection[SecretStr],
    snapshot: Callable[[], Awaitable[WorkersSnapshot]],
) -> AsyncGenerator[int]:
    """Serves the metrics from threads, so that they can be read while the event loop is blocked.

    Args:
        metrics: the metrics to serve, under every path.
        host: address to listen on.
        port: port to listen on; 0 for a free one.
        keys: accepted bearer tokens; without any, every scrape is refused. They come from the environment,
            because a blocked loop or an unavailable database must not hide the metrics.
        snapshot: reads the metrics in Redis, on the running loop; they are absent if it fails or is slow.

    Yields:
        The port.

    Raises:
        InvalidSettings: the port cannot be used.
    """
    loop = asyncio.get_running_loop()

    async def ask() -> WorkersSnapshot:
        return await snapshot()

    def read() -> Iterator[GaugeMetricFamily]:
        answer = asyncio.run_coroutine_threadsafe(ask(), loop)
        try:
            return answer.result(_SNAPSHOT_SECONDS).families()
        except Exception as error:  # noqa: BLE001 -- the scrape serves the other metrics
            answer.cancel()
            _LOGGER.debug("redis_metrics_unavailable", error=str(error) or type(error).__name__)
            return iter(())

    try:
        # It serves an empty registry until the guarded app is set.
        server, thread = start_http_server(port, host, CollectorRegistry())
    except OSError as error:
        raise InvalidSettings(
            f"{PREFIX}WORKER_METRICS_PORT: port {port} on {host} cannot be used ({error.strerror})"
        ) from error
    app = cast("WSGIApplication", exposition.make_wsgi_app(metrics.registry))
    server.set_app(_guarded(app, keys))
    reader = ReadOnScrape(read)
    metrics.registry.register(reader)
    try:
        yield server.server_port
    finally:
        metrics.registry.unregister(reader)
        # The server polls for its shutdown, which blocks.
        await asyncio.to_thread(server.shutdown)
        thread.join()
        server.server_close()


def _guarded(app: "WSGIApplication", keys: Collection[SecretStr]) -> "WSGIApplication":
    def guarded(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        scheme, _, presented = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
        sent = presented.strip() if scheme.lower() == "bearer" else str(environ.get("HTTP_X_API_KEY", ""))
        # WSGI decodes headers as Latin-1; the key's own bytes are UTF-8.
        found = [hmac.compare_digest(sent.encode("latin-1"), key.get_secret_value().encode()) for key in keys]
        if any(found):
            return app(environ, start_response)
        plain = ("Content-Type", "text/plain; charset=utf-8")
        start_response("401 Unauthorized", [plain, ("WWW-Authenticate", "Bearer")])
        return [_KEY_REQUIRED]

    return guarded
