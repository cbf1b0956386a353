"""Middleware that opens a span per request, as a child of the client's span if it sends one."""

from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.openapi import operation_id
from api.request_context import REQUEST_ID_HEADER
from api.urls import PROBES, route_path
from flexiprice.tracing import SpanKind, span


class TracedRequests:
    """Traces all requests but those for health and metrics."""

    def __init__(self, app: ASGIApp) -> None:
        """Wraps an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI request."""
        if scope["type"] != "http" or route_path(scope).startswith(PROBES):
            await self._app(scope, receive, send)
            return
        method, parent = str(scope["method"]), Headers(scope=scope).get("traceparent")
        with span(SpanKind.SERVER, method, parent=parent, **{"http.request.method": method}) as traced:

            async def send_traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = int(message["status"])
                    traced.set_attribute("http.response.status_code", status)
                    traced.set_attribute(
                        "flexiprice.request_id", Headers(raw=message["headers"])[REQUEST_ID_HEADER]
                    )
                    if status >= 500:
                        traced.fail(str(status))
                await send(message)

            try:
                await self._app(scope, receive, send_traced)
            finally:
                # Known only after routing. Path and query are left out: they may contain products or a key.
                route = scope.get("route")
                if isinstance(route, APIRoute):
                    operation = operation_id(route)
                    traced.name(f"{method} {operation}")
                    traced.set_attribute("flexiprice.operation", operation)
