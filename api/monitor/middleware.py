"""What every request and web socket of the monitor passes first."""

from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.monitor.auth.revocation import while_let_in
from api.monitor.auth.user import Viewer
from api.monitor.context import MonitorContext
from api.security.admin_guard import address_of
from api.security.scopes import set_holder
from api.urls import route_path
from flexiprice.access.audit_log import AuditEvent
from flexiprice.access.key_ring import KeyHolder
from flexiprice.domain.audit import NOBODY, AuditOutcome, AuditSource
from flexiprice.telemetry import get_logger

LOGIN: Final = "/login"
# What may be seen before the login: the login itself, how it looks, and whether the process lives.
_OPEN: Final = frozenset({LOGIN, "/health/live", "/favicon.ico"})
_OPEN_FOLDER: Final = "/assets/"
_READS: Final = ("GET", "HEAD")
# Where an open page goes on receiving, by web socket or by requests that are held.
_LASTING: Final = "/_nicegui_ws"
_CONTENT: Final = (
    "default-src 'self'; "
    # As tight as NiceGUI works with: it runs the server's `run_javascript`, event handlers and properties by
    # `eval` and `new Function`, Vue compiles templates in the browser, and the page starts with scripts in
    # it that have no nonce. So what must hold is that no text of others becomes markup: pages show
    # text as text. No script of another place is loaded, whatever stands in a page.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; "
    "font-src 'self' data:; "
    "object-src 'none'; "
    "base-uri 'none'; "
    "form-action 'self'; "
    "frame-ancestors 'none'"
)
# The login has no script, and none may run where keys are typed in.
_LOGIN_CONTENT: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _CONTENT,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_FOREIGN: Final = (
    "A page of another site may not use this. If this is the monitor's own page, the proxy before it does "
    "not hand on its name: nginx does with `proxy_set_header Host $http_host;`."
)
_log = get_logger(__name__)


class Guard:
    """Lets through what a viewer asks for, from a page of ours, and adds the headers that browsers heed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request or web socket, as ASGI has it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if route_path(scope) == LOGIN:
                    headers["Content-Security-Policy"] = _LOGIN_CONTENT
            await send(message)

        refusal = await self._refusal(scope)
        if refusal is None:
            viewer: Viewer | None = scope["state"]["viewer"]
            monitor: MonitorContext = scope["state"]["monitor"]
            if viewer is not None and route_path(scope).startswith(_LASTING):
                await while_let_in(self._app, monitor.access, viewer, scope, receive, send_with_headers)
            else:
                await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await refusal(scope, receive, send_with_headers)

    async def _refusal(self, scope: Scope) -> Response | None:
        path = route_path(scope)
        monitor: MonitorContext = scope["state"]["monitor"]
        if _is_foreign(Headers(scope=scope)) and (
            scope["type"] == "websocket" or scope["method"] not in _READS
        ):
            _log.warning("refused_foreign_page", path=path)
            monitor.refusals.note(_refused(scope, path), "a page of another site asked for it")
            return PlainTextResponse(_FOREIGN, status_code=403)
        viewer = await monitor.access.viewer_of(scope)
        scope["state"]["viewer"] = viewer
        if viewer is not None:
            # For the log.
            set_holder(scope, KeyHolder(viewer.name, ()))
        if viewer is not None or path in _OPEN or path.startswith(_OPEN_FOLDER):
            return None
        if scope["type"] == "http" and scope["method"] in _READS and not path.startswith("/_nicegui"):
            query = bytes(scope.get("query_string", b"")).decode("latin-1")
            wanted = f"{path}?{query}" if query else path
            suffix = "" if wanted == "/" else f"?next={quote(wanted, safe='')}"
            return RedirectResponse(f"{scope.get('root_path', '')}{LOGIN}{suffix}", status_code=303)
        monitor.refusals.note(_refused(scope, path), "not signed in, or no longer")
        return PlainTextResponse("Log in first.", status_code=401)


def _refused(scope: Scope, path: str) -> AuditEvent:
    return AuditEvent(
        actor=NOBODY,
        source=AuditSource.MONITOR,
        action="use_monitor",
        target=f"{scope.get('method', 'socket')} {path}",
        address=address_of(scope) or None,
        outcome=AuditOutcome.REFUSED,
    )


def _is_foreign(headers: Headers) -> bool:
    """Whether a page of another site is behind it. A browser always says so, and cannot be made not to."""
    origin = headers.get("origin")
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    # Behind a proxy; no page can send this header along to another site unasked.
    places = {headers.get("host"), headers.get("x-forwarded-host")} - {None, ""}
    return origin is not None and _place_of(origin) not in places


def _place_of(origin: str) -> str | None:
    # `null` is what sandboxed frames and files say of themselves: no place, and so not ours.
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
