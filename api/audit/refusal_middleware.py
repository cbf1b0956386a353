"""Records rejected requests in the audit log: missing permissions, and changes that were not made."""

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Final, cast

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.audit.context import is_change, requested_event
from api.audit.refusals import RefusalLog
from api.security.scopes import rejected_key_in
from api.urls import route_path
from flexiprice.access.audit_log import AuditEvent
from flexiprice.domain.audit import AuditOutcome

_PERMISSION_STATUSES: Final = frozenset({401, 403, 429})


class RefusalMiddleware:
    """Records error responses: for missing permissions of any request, and for failed changes.

    Reads the `RefusalLog` from `refusals` of the application's state.
    """

    def __init__(self, app: ASGIApp, *, prefixes: Collection[str]) -> None:
        """Wraps an application.

        Args:
            app: the application.
            prefixes: of the paths whose refusals are recorded.
        """
        self._app = app
        self._prefixes = tuple(prefixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one ASGI request."""
        path = route_path(scope) if scope["type"] == "http" else ""
        if not path.startswith(self._prefixes):
            await self._app(scope, receive, send)
            return
        status = 0

        async def send_and_record(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            elif message["type"] == "http.response.body" and status >= 400:
                _record(scope, path, status, bytes(message.get("body", b"")))
                status = 0
            await send(message)

        await self._app(scope, receive, send_and_record)


def _record(scope: Scope, path: str, status: int, body: bytes) -> None:
    request = Request(scope)
    if status not in _PERMISSION_STATUSES and not is_change(request):
        return
    refusals: RefusalLog = scope["app"].state.refusals
    event = _refused_event(request, path, status)
    rejected = rejected_key_in(scope)
    if rejected is None:
        refusals.record(event, _reason(body, status))
        return
    refusals.record(replace(event, details={**event.details, **rejected.details}), str(rejected))


def _refused_event(request: Request, path: str, status: int) -> AuditEvent:
    event = requested_event(request)
    if "route" not in request.scope:
        # The request was rejected before routing, or no endpoint has this path.
        event = replace(event, action="use_api", target=f"{request.method} {path}")
    # After a server error it is not always known whether the change was made.
    outcome = AuditOutcome.FAILED if status >= 500 else AuditOutcome.REFUSED
    return replace(event, outcome=outcome, details={**event.details, "status": status})


def _reason(body: bytes, status: int) -> str:
    try:
        problem = json.loads(body)
    except ValueError:
        return str(status)
    detail = cast("dict[str, object]", problem).get("detail") if isinstance(problem, dict) else None
    return str(detail or status)
