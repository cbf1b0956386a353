"""Middleware for the URL prefix under which a reverse proxy serves a program: `https://example.com/shop`."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from api.urls import route_path
from flexiprice.errors import InvalidSettings
from flexiprice.settings import PREFIX

# NiceGUI trusts this header from any client. The prefix comes from the settings instead.
_FORWARDED_PREFIX: Final = "x-forwarded-prefix"


class UrlPrefix:
    """Sets each request's `root_path` to the prefix, and makes its `path` begin with the prefix exactly once.

    Routes, guards and logs then see one form, whether the proxy strips the prefix, passes it on, or the
    server runs with `--root-path`, which prepends the prefix. Must be the outermost middleware.
    """

    def __init__(self, app: ASGIApp, *, prefix: str, own: Collection[str]) -> None:
        """Wraps an application.

        Args:
            app: the application.
            prefix: value of `FLEXIPRICE_URL_PREFIX`; if empty, the prefix of `--root-path` applies.
            own: first segments of the program's paths. A prefix that begins with one of them is ambiguous, so
                it is never stripped.

        Raises:
            InvalidSettings: the configured prefix begins with one of them.
        """
        if _first_segment(prefix) in own:
            raise InvalidSettings(
                f"{PREFIX}URL_PREFIX: {prefix} begins like a path of this program: choose another, "
                "such as /shop"
            )
        self._app = app
        self._prefix = prefix
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI request or web socket."""
        if scope["type"] in {"http", "websocket"}:
            scope = self._prefixed(scope)
        await self._app(scope, receive, send)

    def _prefixed(self, scope: Scope) -> Scope:
        root_path = str(scope.get("root_path", ""))
        prefix = self._prefix or root_path.rstrip("/")
        path = str(scope["path"])
        if root_path and path.startswith(root_path):
            path = f"/{path[len(root_path) :].lstrip('/')}"
        if prefix and _first_segment(prefix) not in self._own:
            path = route_path({"path": path, "root_path": prefix})
        prefixed = {**scope, "root_path": prefix, "path": prefix + path}
        headers = MutableHeaders(scope=prefixed)
        if _FORWARDED_PREFIX in headers:
            # Emptied, not removed: its presence shows that a proxy is in between.
            headers[_FORWARDED_PREFIX] = ""
        return prefixed


def _first_segment(path: str) -> str:
    return path.lstrip("/").partition("/")[0]
