"""Performs operations for the current user, with permission check, audit entry and notification."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from nicegui import ui

from api.monitor.auth.user import DENIAL_REASONS, Right
from api.monitor.context import current_monitor, current_user
from flexiprice.access.audit_context import audited
from flexiprice.access.audit_log import LONGEST_ADDRESS, LONGEST_TARGET, AuditEvent
from flexiprice.domain.audit import AuditOutcome, AuditSource
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.admin.operations import Operation
from flexiprice.telemetry import get_logger

_LOGGED_OUT: Final = "You are no longer logged in. Reload the page."
_log = get_logger(__name__)
AnswerT = TypeVar("AnswerT")


async def perform(
    operation: Operation[AnswerT], message: Callable[[AnswerT], str], *, right: Right = Right.OPERATE
) -> AnswerT | None:
    """Performs an operation for the user: checks the right, records it in the audit log, shows the outcome.

    Args:
        operation: the operation.
        message: returns the notification for an answer.
        right: the right that the operation requires.

    Returns:
        The answer; None if the operation was refused or failed.
    """
    event = event_of_user(operation.action, operation.target)
    if not has_right(right, event):
        return None
    resources = current_monitor().resources
    try:
        async with audited(resources.sessions, event) as details:
            answer = await operation.perform(resources.tasks, details)
    except FlexiPriceError as error:
        ui.notify(error.message, type="negative", multi_line=True)
        return None
    ui.notify(message(answer), type="positive", multi_line=True)
    return answer


def has_right(right: Right, event: AuditEvent) -> bool:
    """Whether the current user has the right for a change; a refusal is recorded, logged and shown.

    Args:
        right: the right that the change requires.
        event: the change.
    """
    refusal = denial_reason(right)
    if refusal is None:
        return True
    _log.warning("change_refused", action=event.action, target=event.target, user=event.actor)
    current_monitor().refusals.record(replace(event, outcome=AuditOutcome.REFUSED), refusal)
    ui.notify(refusal, type="negative")
    return False


def event_of_user(action: str, target: str) -> AuditEvent:
    """Returns the audit event of a change by the current user."""
    return AuditEvent(
        actor=current_user().name,
        source=AuditSource.MONITOR,
        action=action,
        target=target[:LONGEST_TARGET],
        address=ui.context.client.ip[:LONGEST_ADDRESS] or None,
    )


def denial_reason(right: Right) -> str | None:
    """Returns why the current user lacks a right; None if they have it."""
    user = current_monitor().auth.revalidate(current_user())
    if user is None:
        return _LOGGED_OUT
    return None if right in user.rights else DENIAL_REASONS[right]


def restricted(button: ui.button, right: Right = Right.OPERATE) -> ui.button:
    """Disables a button if the current user lacks its right; a tooltip gives the reason."""
    refusal = denial_reason(right)
    if refusal is not None:
        button.disable()
        button.tooltip(refusal)
    return button
