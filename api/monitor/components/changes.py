"""Changes that a viewer makes: allowed, carried out, written down, and answered for."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from nicegui import ui

from api.monitor.auth.user import WHY_NOT, Right
from api.monitor.context import current_monitor, current_viewer
from flexiprice.access.audit_log import LONGEST_ADDRESS, LONGEST_TARGET, AuditEvent
from flexiprice.access.audited import audited
from flexiprice.domain.audit import AuditOutcome, AuditSource
from flexiprice.errors import FlexiPriceError
from flexiprice.queue.admin.operations import Operation
from flexiprice.telemetry import get_logger

_LOGGED_OUT: Final = "You are no longer logged in: load the page anew."
_log = get_logger(__name__)
AnswerT = TypeVar("AnswerT")


async def perform(
    operation: Operation[AnswerT], told: Callable[[AnswerT], str], *, right: Right = Right.OPERATE
) -> AnswerT | None:
    """Performs an operation for the viewer: checks the right, records it in the audit log, shows the outcome.

    Args:
        operation: the operation.
        told: returns the sentence that the viewer reads about an answer.
        right: the right that it takes.

    Returns:
        The answer; None if the operation was refused or failed.
    """
    viewer = current_viewer()
    change = AuditEvent(
        actor=viewer.name,
        source=AuditSource.MONITOR,
        action=operation.action,
        target=operation.target[:LONGEST_TARGET],
        address=ui.context.client.ip[:LONGEST_ADDRESS] or None,
    )
    if refusal := why_not(right):
        _log.warning("change_refused", action=change.action, target=operation.target, viewer=viewer.name)
        current_monitor().refusals.note(replace(change, outcome=AuditOutcome.REFUSED), refusal)
        ui.notify(refusal, type="negative")
        return None
    resources = current_monitor().resources
    try:
        async with audited(resources.sessions, change) as details:
            answer = await operation.perform(resources.tasks, details)
    except FlexiPriceError as error:
        ui.notify(error.message, type="negative", multi_line=True)
        return None
    ui.notify(told(answer), type="positive", multi_line=True)
    return answer


def why_not(right: Right) -> str | None:
    """Why the viewer may not make such a change; None where they may."""
    viewer = current_monitor().access.rights_now(current_viewer())
    if viewer is None:
        return _LOGGED_OUT
    return None if right in viewer.rights else WHY_NOT[right]


def allow(button: ui.button, right: Right = Right.OPERATE) -> ui.button:
    """Disables a button that the viewer may not use, and says why on hover."""
    refusal = why_not(right)
    if refusal is not None:
        button.disable()
        button.tooltip(refusal)
    return button
