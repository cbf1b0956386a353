"""Derives audit events and job sources from requests, and performs operations with audit entries."""

from dataclasses import replace
from typing import Annotated, Final, TypeVar

import structlog
from fastapi import Depends, Request

from api.security.scopes import holder_in
from flexiprice.access.audit_context import audited
from flexiprice.access.audit_log import LONGEST_ADDRESS, LONGEST_TARGET, AuditEvent
from flexiprice.domain.audit import ANONYMOUS, AuditSource
from flexiprice.domain.run import RunTrigger
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.admin.operations import Operation
from flexiprice.queue.redaction import redact
from flexiprice.queue.source import JobSource
from flexiprice.resources import Resources

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# Operations with an unsafe method that change nothing.
_READ_ONLY_OPERATIONS: Final = frozenset({"preview_discounts"})
AnswerT = TypeVar("AnswerT")


def audit_event_for(request: Request, target: str = "") -> AuditEvent | None:
    """Returns the event to record if the request succeeds; None if the request changes nothing."""
    if not is_change(request) or getattr(request.state, "skips_audit", False):
        return None
    return _event_of(request, target)


def _event_of(request: Request, target: str) -> AuditEvent:
    event = requested_event(request, target)
    return replace(event, details={**redact(dict(request.query_params)), **event.details})


def requested_event(request: Request, target: str = "") -> AuditEvent:
    """Returns the event of a request, whatever its outcome, with the details that its endpoint added."""
    details: dict[str, object] = dict(getattr(request.state, "audit_details", {}))
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


def is_change(request: Request) -> bool:
    """Returns whether a request asks for a change."""
    return request.method not in _SAFE_METHODS and action_of(request) not in _READ_ONLY_OPERATIONS


def action_of(request: Request) -> str:
    """Returns the name of the operation that a request asks for."""
    return (str(getattr(request.scope.get("route"), "name", "")) or request.method.lower())[:100]


def target_of(request: Request) -> str:
    """Returns the natural name of a request's target: its path parameters."""
    return "/".join(map(str, request.path_params.values()))[:LONGEST_TARGET]


def add_audit_details(request: Request, **details: object) -> None:
    """Adds details to the audit event of a request; `target` replaces the target."""
    request.state.audit_details = {**getattr(request.state, "audit_details", {}), **details}


def skip_audit(request: Request) -> None:
    """Marks a request as without effect, so that it leaves no audit entry."""
    request.state.skips_audit = True


def actor_of(request: Request) -> str:
    """Returns the name of the key of a request; `ANONYMOUS` without a valid key."""
    holder = holder_in(request.scope)
    return ANONYMOUS if holder is None else holder.name


async def _source(request: Request) -> JobSource:
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
        event = _event_of(self._request, operation.target)
        async with audited(resources.sessions, event) as details:
            try:
                return await operation.perform(resources.tasks, details)
            except FlexiPriceError:
                # For the entry that records the refusal.
                add_audit_details(self._request, **{**details, "target": event.target})
                raise


async def _performer(request: Request) -> Performer:
    return Performer(request)


Source = Annotated[JobSource, Depends(_source)]
# For changes that are made outside PostgreSQL.
Perform = Annotated[Performer, Depends(_performer)]
