"""A worker's metrics over HTTP, for Prometheus to come and read."""

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

# A scrape waits no longer for Redis; what this process measured is told without it.
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
    """Serves the metrics from threads, so that a blocked event loop can still be asked how it is.

    Args:
        metrics: what to serve, under every path.
        host: address to listen on.
        port: port to listen on; 0 for any that is free.
        keys: of which a scrape must send one as a bearer; without any, every scrape is refused. They are
            those of the environment: a blocked loop, or a database that is away, must not hide the metrics.
        snapshot: asks Redis, on the running loop; where it fails or takes long, its metrics are absent.

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
        except Exception as error:  # noqa: BLE001 -- a scrape tells what can be told
            answer.cancel()
            _LOGGER.debug("redis_metrics_unavailable", error=str(error) or type(error).__name__)
            return iter(())

    try:
        # Of nothing at first: it serves at once, and what guards it is put in a moment later.
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
        # It looks only now and then whether it is to end.
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
