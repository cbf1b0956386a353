"""Answers that refuse, as the audit tells them: who has no right, and which change was not made."""

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Final, cast

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.audit.context import asked_for, asks_for_change
from api.audit.refusals import Refusals
from api.security.scopes import useless_key_in
from api.urls import route_path
from flexiprice.access.audit_log import AuditEvent
from flexiprice.domain.audit import AuditOutcome

_OF_ACCESS: Final = frozenset({401, 403, 429})


class NotedRefusals:
    """Notes the answers that refuse: to who has no right, and to changes that are not made.

    The application's state has the `refusals` that it tells.
    """

    def __init__(self, app: ASGIApp, *, prefixes: Collection[str]) -> None:
        """Watches what is under the prefixes."""
        self._app = app
        self._prefixes = tuple(prefixes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        path = route_path(scope) if scope["type"] == "http" else ""
        if not path.startswith(self._prefixes):
            await self._app(scope, receive, send)
            return
        status = 0

        async def send_and_look(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            elif message["type"] == "http.response.body" and status >= 400:
                _note(scope, path, status, bytes(message.get("body", b"")))
                status = 0
            await send(message)

        await self._app(scope, receive, send_and_look)


def _note(scope: Scope, path: str, status: int, body: bytes) -> None:
    request = Request(scope)
    if status not in _OF_ACCESS and not asks_for_change(request):
        return
    refusals: Refusals = scope["app"].state.refusals
    change = _refused(request, path, status)
    useless = useless_key_in(scope)
    if useless is None:
        refusals.note(change, _reason(body, status))
        return
    refusals.note(replace(change, details={**change.details, **useless.details}), str(useless))


def _refused(request: Request, path: str, status: int) -> AuditEvent:
    asked = asked_for(request)
    if "route" not in request.scope:
        # Refused before anybody looked for an endpoint, or there is none.
        asked = replace(asked, action="use_api", target=f"{request.method} {path}")
    # Of what failed on our side it is not always known whether it was made.
    outcome = AuditOutcome.FAILED if status >= 500 else AuditOutcome.REFUSED
    return replace(asked, outcome=outcome, details={**asked.details, "status": status})


def _reason(body: bytes, status: int) -> str:
    try:
        problem = json.loads(body)
    except ValueError:
        return str(status)
    told = cast("dict[str, object]", problem).get("detail") if isinstance(problem, dict) else None
    return str(told or status)
