"""Middleware that measures the API's requests for the metrics."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.urls import PROBES, route_path
from flexiprice.metrics import Metrics


class MeasuredRequests:
    """Measures all requests but those for health and metrics."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI request."""
        if scope["type"] != "http" or route_path(scope).startswith(PROBES):
            await self._app(scope, receive, send)
            return
        metrics: Metrics = scope["app"].state.metrics
        began_at = time.perf_counter()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - began_at
                metrics.record_request(status=int(message["status"]), seconds=seconds)
            await send(message)

        await self._app(scope, receive, send_measured)
