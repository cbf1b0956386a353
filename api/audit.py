"""Who is behind a request, and what it changes: for the audit, and for the jobs that it enqueues."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated, Final

import structlog
from fastapi import Depends, Request

from api.scopes import holder_in
from flexiprice.domain.audit import AuditSource
from flexiprice.domain.run import RunTrigger
from flexiprice.jobs.masking import masked
from flexiprice.jobs.origin import JobOrigin
from flexiprice.resources import Resources
from flexiprice.services.audit import Change
from flexiprice.services.audited import audited

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Operations that are asked for like a change and make none.
_CHANGES_NOTHING: Final = frozenset({"preview_discounts"})
_LONGEST_TARGET: Final = 500


def change_in(request: Request) -> Change | None:
    """What a request changes, if it succeeds; None where it only reads."""
    action = str(getattr(request.scope.get("route"), "name", "")) or request.method.lower()
    nothing = request.method in _READING or action in _CHANGES_NOTHING
    if nothing or getattr(request.state, "changes_nothing", False):
        return None
    details: dict[str, object] = masked(dict(request.query_params))
    details |= getattr(request.state, "change_details", {})
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id:
        details["request_id"] = request_id
    return Change(
        actor=actor_of(request),
        source=AuditSource.API,
        action=action[:100],
        target="/".join(str(value) for value in request.path_params.values())[:_LONGEST_TARGET],
        address=request.client.host[:200] if request.client else None,
        details=details,
    )


def note(request: Request, **details: object) -> None:
    """Adds to what is written down of the change that a request makes."""
    request.state.change_details = {**getattr(request.state, "change_details", {}), **details}


def note_no_change(request: Request) -> None:
    """Says of a request that it has changed nothing after all, so that nothing is written down."""
    request.state.changes_nothing = True


def actor_of(request: Request) -> str:
    """Who asks: the name of the key."""
    holder = holder_in(request.scope)
    return "nobody" if holder is None else holder.name


async def _origin(request: Request) -> JobOrigin:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return JobOrigin(trigger=RunTrigger.API, request_id=request_id, actor=actor_of(request))


Audited = Callable[[], AbstractAsyncContextManager[dict[str, object]]]


async def _audited(request: Request) -> Audited:
    @asynccontextmanager
    async def making() -> AsyncGenerator[dict[str, object], None]:
        resources: Resources = request.app.state.resources
        change = change_in(request)
        if change is None:
            yield {}
            return
        async with audited(resources.sessions, change) as details:
            yield details

    return making


Origin = Annotated[JobOrigin, Depends(_origin)]
# Around a change that is not made in the database; what it yields takes further details.
Audit = Annotated[Audited, Depends(_audited)]
