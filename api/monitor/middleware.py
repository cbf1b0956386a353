"""Authenticates every request and web socket of the monitor, and sets security headers."""

import re
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.monitor.auth.revocation import serve_until_revoked
from api.monitor.auth.user import User
from api.monitor.context import MonitorContext
from api.security.admin_guard import address_of
from api.security.scopes import set_holder
from api.urls import route_path
from flexiprice.access.audit_log import AuditEvent
from flexiprice.access.key_ring import KeyHolder
from flexiprice.domain.audit import ANONYMOUS, AuditOutcome, AuditSource
from flexiprice.telemetry import get_logger

LOGIN: Final = "/login"
# Paths that need no session: the login, its assets, and the liveness check.
_PUBLIC: Final = frozenset({LOGIN, "/health/live", "/favicon.ico"})
_PUBLIC_FOLDER: Final = "/assets/"
_SAFE_METHODS: Final = ("GET", "HEAD")
# Path of the connections that stay open with a page: its web socket and long polls.
_LONG_LIVED: Final = "/_nicegui_ws"
_UPLOAD: Final = re.compile(r"/_nicegui/client/[^/]+/upload/[^/]+")
# The form around an uploaded file adds at most this.
_FORM_BYTES: Final = 65_536
_CONTENT_POLICY: Final = (
    "default-src 'self'; "
    # As strict as NiceGUI permits: it runs `run_javascript`, event handlers and properties by `eval` and
    # `new Function`, Vue compiles templates in the browser, and pages have inline scripts without a nonce.
    # So pages must never render untrusted text as markup. Scripts of other hosts are blocked in any case.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; "
    "font-src 'self' data:; "
    "object-src 'none'; "
    "base-uri 'none'; "
    "form-action 'self'; "
    "frame-ancestors 'none'"
)
# The login has no script, and none may run where users type keys.
_LOGIN_CONTENT_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_CROSS_SITE_REFUSAL: Final = (
    "Requests from pages of other sites are rejected. If this was the monitor's own page, its proxy does "
    "not forward the host name: in nginx, set `proxy_set_header Host $http_host;`."
)
_log = get_logger(__name__)


class SecurityMiddleware:
    """Rejects cross-site and unauthenticated requests, and adds security headers to responses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI request or web socket."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if route_path(scope) == LOGIN:
                    headers["Content-Security-Policy"] = _LOGIN_CONTENT_POLICY
            await send(message)

        refusal = await self._refusal(scope)
        if refusal is None:
            user: User | None = scope["state"]["user"]
            monitor: MonitorContext = scope["state"]["monitor"]
            if user is not None and route_path(scope).startswith(_LONG_LIVED):
                await serve_until_revoked(self._app, monitor.auth, user, scope, receive, send_with_headers)
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
        if _is_cross_site(Headers(scope=scope)) and (
            scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        ):
            _log.warning("refused_foreign_page", path=path)
            monitor.refusals.record(_refused_event(scope, path), "a page of another site asked for it")
            return PlainTextResponse(_CROSS_SITE_REFUSAL, status_code=403)
        user = await monitor.auth.user_of(scope)
        scope["state"]["user"] = user
        if user is not None:
            # For the access log.
            set_holder(scope, KeyHolder(user.name, ()))
        if user is not None and _UPLOAD.fullmatch(path):
            return _upload_refusal(scope, user)
        if user is not None or path in _PUBLIC or path.startswith(_PUBLIC_FOLDER):
            return None
        if scope["type"] == "http" and scope["method"] in _SAFE_METHODS and not path.startswith("/_nicegui"):
            query = bytes(scope.get("query_string", b"")).decode("latin-1")
            wanted = f"{path}?{query}" if query else path
            suffix = "" if wanted == "/" else f"?next={quote(wanted, safe='')}"
            return RedirectResponse(f"{scope.get('root_path', '')}{LOGIN}{suffix}", status_code=303)
        monitor.refusals.record(_refused_event(scope, path), "not signed in, or no longer")
        return PlainTextResponse("Log in first.", status_code=401)


def _upload_refusal(scope: Scope, user: User) -> Response | None:
    """Refuses an upload before its body is read: the user may not import, or it is too long."""
    monitor: MonitorContext = scope["state"]["monitor"]
    if not user.may_price:
        return PlainTextResponse("Your key may not import files.", status_code=403)
    length = Headers(scope=scope).get("content-length", "")
    if not length.isdecimal():
        return PlainTextResponse("Send the length of the file.", status_code=411)
    if int(length) > monitor.resources.settings.max_upload_bytes + _FORM_BYTES:
        return PlainTextResponse("The file is too large.", status_code=413)
    return None


def _refused_event(scope: Scope, path: str) -> AuditEvent:
    return AuditEvent(
        actor=ANONYMOUS,
        source=AuditSource.MONITOR,
        action="use_monitor",
        target=f"{scope.get('method', 'socket')} {path}",
        address=address_of(scope) or None,
        outcome=AuditOutcome.REFUSED,
    )


def _is_cross_site(headers: Headers) -> bool:
    """Returns whether a page of another site sent the request; browsers always say so in these headers."""
    origin = headers.get("origin")
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    # `X-Forwarded-Host` is set by proxies; a cross-site page cannot set it without a CORS preflight.
    hosts = {headers.get("host"), headers.get("x-forwarded-host")} - {None, ""}
    return origin is not None and _host_of(origin) not in hosts


def _host_of(origin: str) -> str | None:
    # Sandboxed frames and local files send `null`, which has no host.
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
