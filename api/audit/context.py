"""Who is behind a request, and what it changes: for the audit, and for the jobs that it enqueues."""

from dataclasses import replace
from typing import Annotated, Final, TypeVar

import structlog
from fastapi import Depends, Request

from api.security.scopes import holder_in
from flexiprice.access.audit_log import LONGEST_ADDRESS, LONGEST_TARGET, AuditEvent
from flexiprice.access.audited import audited
from flexiprice.domain.audit import NOBODY, AuditSource
from flexiprice.domain.run import RunTrigger
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.admin.operations import Operation
from flexiprice.queue.redaction import redact
from flexiprice.queue.source import JobSource
from flexiprice.resources import Resources

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Operations that are asked for like a change and make none.
_CHANGES_NOTHING: Final = frozenset({"preview_discounts"})
AnswerT = TypeVar("AnswerT")


def audit_event_for(request: Request, target: str = "") -> AuditEvent | None:
    """What a request changes, if it succeeds; None where it only reads."""
    if not asks_for_change(request) or getattr(request.state, "changes_nothing", False):
        return None
    return _change_by(request, target)


def _change_by(request: Request, target: str) -> AuditEvent:
    change = asked_for(request, target)
    return replace(change, details={**redact(dict(request.query_params)), **change.details})


def asked_for(request: Request, target: str = "") -> AuditEvent:
    """What a request asks for, by whom and from where, with what the endpoint has noted of it so far."""
    details: dict[str, object] = dict(getattr(request.state, "change_details", {}))
    target = target or str(details.get("target", "")) or target_of(request)
    details.pop("target", None)
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if request_id:
        details["request_id"] = request_id
    return AuditEvent(
        actor=actor_of(request),
        source=AuditSource.API,
        action=action_of(request),
        target=target[:LONGEST_TARGET],
        address=request.client.host[:LONGEST_ADDRESS] if request.client else None,
        details=details,
    )


def asks_for_change(request: Request) -> bool:
    """Whether a request would change something."""
    return request.method not in _READING and action_of(request) not in _CHANGES_NOTHING


def action_of(request: Request) -> str:
    """What a request asks for: the name of its operation."""
    return (str(getattr(request.scope.get("route"), "name", "")) or request.method.lower())[:100]


def target_of(request: Request) -> str:
    """What the path of a request names."""
    return "/".join(map(str, request.path_params.values()))[:LONGEST_TARGET]


def note(request: Request, **details: object) -> None:
    """Adds to what is written down of the change that a request makes; `target` names what it changes."""
    request.state.change_details = {**getattr(request.state, "change_details", {}), **details}


def note_no_change(request: Request) -> None:
    """Says of a request that it has changed nothing after all, so that nothing is written down."""
    request.state.changes_nothing = True


def actor_of(request: Request) -> str:
    """Who asks: the name of the key."""
    holder = holder_in(request.scope)
    return NOBODY if holder is None else holder.name


async def _origin(request: Request) -> JobSource:
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    return JobSource(trigger=RunTrigger.API, request_id=request_id, actor=actor_of(request))


class Performer:
    """Performs operations for one request, and records them in the audit log."""

    def __init__(self, request: Request) -> None:
        self._request = request

    async def __call__(self, operation: Operation[AnswerT]) -> AnswerT:
        """Performs an operation.

        Raises:
            DatabaseUnavailable: PostgreSQL does not answer, and nothing was changed.
            FlexiPriceError: the operation was refused or failed.
        """
        resources: Resources = self._request.app.state.resources
        change = _change_by(self._request, operation.target)
        async with audited(resources.sessions, change) as details:
            try:
                return await operation.perform(resources.tasks, details)
            except FlexiPriceError:
                # For the entry that records the refusal.
                note(self._request, **{**details, "target": change.target})
                raise


async def _performer(request: Request) -> Performer:
    return Performer(request)


Origin = Annotated[JobSource, Depends(_origin)]
# For a change that is not made in the database.
Perform = Annotated[Performer, Depends(_performer)]
