"""The path under which a reverse proxy serves a program, as in `https://example.com/shop`."""

from collections.abc import Collection
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from api.urls import route_path
from flexiprice.errors import InvalidSettings
from flexiprice.settings import PREFIX

# NiceGUI believes it, whoever sends it. The prefix is configured, not guessed from a request.
_FORWARDED_PREFIX: Final = "x-forwarded-prefix"


class UrlPrefix:
    """Makes each request's `root_path` the prefix, and its `path` begin with it once.

    So routes, guards and logs see one form, whether the proxy strips the prefix, passes it on, or the server
    was started with `--root-path`, which puts the prefix before the path that came. It must be the outermost
    middleware.
    """

    def __init__(self, app: ASGIApp, *, prefix: str, own: Collection[str]) -> None:
        """Serves under a prefix.

        Args:
            app: what is served.
            prefix: as in `FLEXIPRICE_URL_PREFIX`; where empty, that of `--root-path` holds.
            own: the first segments of the program's paths. A prefix that begins with one of them cannot be
                told from a path, so it is never removed from one.

        Raises:
            InvalidSettings: the configured prefix begins with one of them.
        """
        if _first_segment(prefix) in own:
            raise InvalidSettings(
                f"{PREFIX}URL_PREFIX: {prefix} begins as a path of this program does: choose another, "
                "such as /shop"
            )
        self._app = app
        self._prefix = prefix
        self._own = own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request or web socket, as ASGI has it."""
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
            # Emptied, not removed: that it is there shows that a proxy is in between.
            headers[_FORWARDED_PREFIX] = ""
        return prefixed


def _first_segment(path: str) -> str:
    return path.lstrip("/").partition("/")[0]
