"""Middleware that adds security headers: browsers must not run, embed or sniff responses."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.urls import route_path

_Headers = tuple[tuple[bytes, bytes], ...]
_ALWAYS: Final[_Headers] = (
    # Responses are not pages: if a browser renders one, it must load and run nothing.
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; form-action 'none'"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_BY_TLS: Final[_Headers] = ((b"strict-transport-security", b"max-age=31536000"),)
_NO_STORE: Final[_Headers] = ((b"cache-control", b"no-store"),)


class SecurityHeaders:
    """Adds the headers that a response does not set itself."""

    def __init__(self, app: ASGIApp, *, private_prefix: str) -> None:
        """Wraps an application; responses under `private_prefix` must not be cached either."""
        self._app = app
        self._private_prefix = private_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = route_path(scope)
        added = _ALWAYS
        if scope.get("scheme") == "https":
            added += _BY_TLS
        if path.startswith(self._private_prefix):
            added += _NO_STORE

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in added if one[0] not in given)]
            await send(message)

        await self._app(scope, receive, send_with_headers)
