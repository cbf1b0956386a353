"""Signs users in by a form or a sign-in link. The form is plain HTML, which password managers recognize."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response
from starlette.templating import Jinja2Templates

from api.monitor.auth.sessions import COOKIE, SESSION_SECONDS
from api.monitor.auth.user import User
from api.monitor.context import MonitorContext
from api.monitor.middleware import LOGIN
from api.security.admin_guard import address_of
from api.urls import address
from flexiprice.access.audit_log import AuditEvent
from flexiprice.access.key_ring import KeyHolder
from flexiprice.domain.audit import ANONYMOUS, AuditOutcome, AuditSource
from flexiprice.errors import DatabaseUnavailable, TooManyWrongKeys
from flexiprice.telemetry import get_logger

router = APIRouter(include_in_schema=False)
_TEMPLATES: Final = Jinja2Templates(Path(__file__).parent / "templates")
LOGOUT: Final = "/logout"
_LONGEST_KEY: Final = 500
_DATABASE_UNAVAILABLE: Final = (
    "PostgreSQL does not answer. Until it does, only the keys of the server's environment can sign in."
)
_log = get_logger(__name__)


@router.get(LOGIN)
async def show_login(request: Request, next: str = "/", token: str = "") -> Response:  # noqa: A002 -- its name in the URL
    """Shows the form; redirects a user who has a session, or whose sign-in link is valid."""
    user: User | None = request.state.user
    if token and user is None:
        return await _sign_in(request, token, next)
    if user is not None:
        return RedirectResponse(address(request, _own_path(next)), status_code=303)
    return _page(request, next)


@router.post(LOGIN)
async def log_in(
    request: Request,
    key: Annotated[str, Form(max_length=_LONGEST_KEY)] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 -- its name in the form
) -> Response:
    """Starts a session if the key is valid."""
    monitor: MonitorContext = request.state.monitor
    client = address_of(request.scope)
    if not key.strip():
        return _page(request, next, error="Enter a key.", status=401)
    try:
        opened = await monitor.auth.log_in(key, address=client)
    except TooManyWrongKeys as refused:
        _record_refusal(request, "too many wrong keys from this address")
        wait = str(refused.seconds)
        error = f"Too many wrong keys from your address. Try again in {wait} s."
        return _page(request, next, error=error, status=429, headers={"Retry-After": wait})
    except DatabaseUnavailable:
        return _page(request, next, error=_DATABASE_UNAVAILABLE, status=503)
    if opened is None:
        _log.warning("login_refused", address=client)
        _record_rejected_key(request, key)
        error = "This is not a valid key with the scope read."
        return _page(request, next, error=error, status=401)
    return _start_session(request, *opened, next)


async def _sign_in(request: Request, token: str, next_path: str) -> Response:
    monitor: MonitorContext = request.state.monitor
    try:
        opened = await monitor.auth.sign_in(token)
    except DatabaseUnavailable:
        return _page(request, next_path, error=_DATABASE_UNAVAILABLE, status=503)
    if opened is None:
        _log.warning("login_refused", address=address_of(request.scope), by="address")
        _record_refusal(request, "the sign-in link was used or has expired")
        error = "This sign-in link was used or has expired: `flexiprice keys sign-in` makes another."
        return _page(request, next_path, error=error, status=401)
    # Redirects to a URL without the token, which so stays out of the browser's history.
    return _start_session(request, *opened, next_path)


def _record_rejected_key(request: Request, key: str) -> None:
    monitor: MonitorContext = request.state.monitor
    known = monitor.auth.explain(key)
    if isinstance(known, KeyHolder):
        _record_refusal(request, "the key lacks the scope read", actor=known.name)
    else:
        _record_refusal(request, str(known), details=known.details)


def _record_refusal(
    request: Request, reason: str, *, actor: str = ANONYMOUS, details: Mapping[str, object] | None = None
) -> None:
    monitor: MonitorContext = request.state.monitor
    event = AuditEvent(
        actor=actor,
        source=AuditSource.MONITOR,
        action="sign_in",
        target="monitor",
        address=address_of(request.scope) or None,
        outcome=AuditOutcome.REFUSED,
        details=details or {},
    )
    monitor.refusals.record(event, reason)


def _start_session(request: Request, user: User, session_id: str, next_path: str) -> Response:
    _log.info("logged_in", address=address_of(request.scope), user=user.name)
    headers = {"Cache-Control": "no-store"}
    response = RedirectResponse(address(request, _own_path(next_path)), status_code=303, headers=headers)
    response.set_cookie(
        COOKIE,
        session_id,
        max_age=SESSION_SECONDS,
        path=address(request, "/"),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response


@router.post(LOGOUT)
async def log_out(request: Request) -> Response:
    """Ends the session in all windows."""
    monitor: MonitorContext = request.state.monitor
    user: User | None = request.state.user
    if user is not None:
        await monitor.auth.log_out(user)
        _log.info("logged_out", user=user.name)
    response = RedirectResponse(address(request, LOGIN), status_code=303)
    response.delete_cookie(COOKIE, path=address(request, "/"))
    return response


def _page(
    request: Request,
    next_path: str,
    *,
    error: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    context = {"next": _own_path(next_path), "error": error, "root": address(request, "")}
    return _TEMPLATES.TemplateResponse(
        request,
        "login.html",
        context,
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _own_path(path: str) -> str:
    """Returns the path if it is the monitor's own, else `/`: a login must not redirect to another site."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\", LOGIN)) and path.isprintable()
    return path if is_own else "/"
