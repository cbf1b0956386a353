"""Middleware that gives each request an id and a log line, and maps unexpected errors to a 500."""

import re
import time
from typing import Final
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import unexpected_problem
from api.security.scopes import holder_in
from api.urls import route_path
from flexiprice.telemetry import get_logger

REQUEST_ID_HEADER: Final = "X-Request-ID"
_USABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)

_LOGGER = get_logger(__name__)


class RequestContext:
    """Gives each request an id, the client's own if it is valid, and returns it in a header.

    An exception without a handler is logged here and becomes a 500 that reveals only the id.
    """

    def __init__(self, app: ASGIApp, *, quiet: tuple[str, ...] = ()) -> None:
        """Wraps an application; requests under the paths in `quiet` are logged at debug level."""
        self._app = app
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given if _USABLE_ID.fullmatch(given) else uuid4().hex
        began_at, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except ClientDisconnect:
                _LOGGER.info("client_gone", method=scope["method"], path=scope["path"])
            except Exception:
                _LOGGER.exception("request_failed", method=scope["method"], path=scope["path"])
                if status:
                    # The response has begun; the server can only abort it.
                    raise
                await unexpected_problem()(scope, receive, send_with_id)
            finally:
                milliseconds = round((time.perf_counter() - began_at) * 1000, 1)
                path = route_path(scope)
                quiet = path.endswith("/health/live") or path.startswith(self._quiet)
                level = _LOGGER.debug if quiet else _LOGGER.info
                level(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    ms=milliseconds,
                    key=_key_name(scope),
                    address=_address(scope),
                )


def _key_name(scope: Scope) -> str | None:
    holder = holder_in(scope)
    return None if holder is None else holder.name


def _address(scope: Scope) -> str | None:
    client: tuple[str, int] | None = scope.get("client")
    return None if client is None else client[0]
