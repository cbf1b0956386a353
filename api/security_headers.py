"""What browsers are told of every answer: to run, embed and guess nothing."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS: Final = {
    # An answer is not a page: if a browser shows it as one, nothing in it is loaded or run.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_BY_TLS: Final = ("Strict-Transport-Security", "max-age=31536000")
_NOT_KEPT: Final = ("Cache-Control", "no-store")


class SecurityHeaders:
    """Adds the headers that an answer does not have by itself."""

    def __init__(self, app: ASGIApp, *, private_prefix: str) -> None:
        """Adds them to all answers; those under `private_prefix` are kept by no cache either."""
        self._app = app
        self._private_prefix = private_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = str(scope["path"]).removeprefix(str(scope.get("root_path", "")))
        added = dict(_ALWAYS)
        if scope.get("scheme") == "https":
            added.update([_BY_TLS])
        if path.startswith(self._private_prefix):
            added.update([_NOT_KEPT])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in added.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
