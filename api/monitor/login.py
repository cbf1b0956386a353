"""Signing in, by a page or an address. The page is plain HTML, so that password managers know it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response
from starlette.templating import Jinja2Templates

from api.monitor.auth.sessions import COOKIE, SESSION_SECONDS
from api.monitor.auth.user import Viewer
from api.monitor.context import MonitorContext
from api.monitor.middleware import LOGIN
from api.security.admin_guard import address_of
from api.urls import address
from flexiprice.access.audit_log import AuditEvent
from flexiprice.access.key_ring import KeyHolder
from flexiprice.domain.audit import NOBODY, AuditOutcome, AuditSource
from flexiprice.errors import DatabaseUnavailable, TooManyWrongKeys
from flexiprice.telemetry import get_logger

router = APIRouter(include_in_schema=False)
_TEMPLATES: Final = Jinja2Templates(Path(__file__).parent / "templates")
LOGOUT: Final = "/logout"
_LONGEST_KEY: Final = 500
_DATABASE_AWAY: Final = (
    "PostgreSQL does not answer, so that only the keys of the server's environment are known now."
)
_log = get_logger(__name__)


@router.get(LOGIN)
async def show_login(request: Request, next: str = "/", token: str = "") -> Response:  # noqa: A002 -- its name in the URL
    """Asks for a key; whoever has been let in already, or comes by an address that signs in, goes on."""
    viewer: Viewer | None = request.state.viewer
    if token and viewer is None:
        return await _sign_in(request, token, next)
    if viewer is not None:
        return RedirectResponse(address(request, _own(next)), status_code=303)
    return _page(request, next)


@router.post(LOGIN)
async def log_in(
    request: Request,
    key: Annotated[str, Form(max_length=_LONGEST_KEY)] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 -- its name in the form
) -> Response:
    """Lets in whoever has a key."""
    monitor: MonitorContext = request.state.monitor
    client = address_of(request.scope)
    if not key.strip():
        return _page(request, next, error="Enter a key.", status=401)
    try:
        opened = await monitor.access.log_in(key, address=client)
    except TooManyWrongKeys as refused:
        _note_refusal(request, "too many wrong keys from this address")
        wait = str(refused.seconds)
        error = f"Too many wrong keys from your address. Try again in {wait} s."
        return _page(request, next, error=error, status=429, headers={"Retry-After": wait})
    except DatabaseUnavailable:
        return _page(request, next, error=_DATABASE_AWAY, status=503)
    if opened is None:
        _log.warning("login_refused", address=client)
        _note_refused_key(request, key)
        error = "That is not a key of this installation that may look (scope read)."
        return _page(request, next, error=error, status=401)
    return _let_in(request, *opened, next)


async def _sign_in(request: Request, token: str, next_path: str) -> Response:
    monitor: MonitorContext = request.state.monitor
    try:
        opened = await monitor.access.sign_in(token)
    except DatabaseUnavailable:
        return _page(request, next_path, error=_DATABASE_AWAY, status=503)
    if opened is None:
        _log.warning("login_refused", address=address_of(request.scope), by="address")
        _note_refusal(request, "the address for signing in was used, or has ended")
        error = "This address has signed somebody in, or has ended: `flexiprice keys sign-in` makes another."
        return _page(request, next_path, error=error, status=401)
    # To an address without the token, so that none stays in the browser's history.
    return _let_in(request, *opened, next_path)


def _note_refused_key(request: Request, key: str) -> None:
    monitor: MonitorContext = request.state.monitor
    known = monitor.access.explain(key)
    if isinstance(known, KeyHolder):
        _note_refusal(request, "the key has not the scope read", actor=known.name)
    else:
        _note_refusal(request, str(known), details=known.details)


def _note_refusal(
    request: Request, reason: str, *, actor: str = NOBODY, details: Mapping[str, object] | None = None
) -> None:
    monitor: MonitorContext = request.state.monitor
    change = AuditEvent(
        actor=actor,
        source=AuditSource.MONITOR,
        action="sign_in",
        target="monitor",
        address=address_of(request.scope) or None,
        outcome=AuditOutcome.REFUSED,
        details=details or {},
    )
    monitor.refusals.note(change, reason)


def _let_in(request: Request, viewer: Viewer, session_id: str, next_path: str) -> Response:
    _log.info("logged_in", address=address_of(request.scope), viewer=viewer.name)
    headers = {"Cache-Control": "no-store"}
    response = RedirectResponse(address(request, _own(next_path)), status_code=303, headers=headers)
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
    """Ends the session in every window."""
    monitor: MonitorContext = request.state.monitor
    viewer: Viewer | None = request.state.viewer
    if viewer is not None:
        await monitor.access.log_out(viewer)
        _log.info("logged_out", viewer=viewer.name)
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
    context = {"next": _own(next_path), "error": error, "root": address(request, "")}
    return _TEMPLATES.TemplateResponse(
        request,
        "login.html",
        context,
        status_code=status,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _own(path: str) -> str:
    """The path where it is one of ours: a login must not send anybody to another site."""
    own = path.startswith("/") and not path.startswith(("//", "/\\", LOGIN)) and path.isprintable()
    return path if own else "/"
