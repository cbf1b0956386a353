"""Changes that a viewer makes: allowed, carried out, written down, and answered for."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from nicegui import ui

from api.monitor.auth.user import WHY_NOT, Right
from api.monitor.context import current_monitor, current_viewer
from flexiprice.access.audit_log import LONGEST_ADDRESS, LONGEST_TARGET, AuditEvent
from flexiprice.access.audited import audited
from flexiprice.domain.audit import AuditOutcome, AuditSource
from flexiprice.errors import FlexiPriceError
from flexiprice.telemetry import get_logger

_LOGGED_OUT: Final = "You are no longer logged in: load the page anew."
_log = get_logger(__name__)
Making = Callable[[dict[str, object]], Awaitable[str]]


async def perform(action: str, target: str, make: Making, *, right: Right = Right.OPERATE) -> bool:
    """Makes a change on the viewer's behalf: checks the right, writes it down, and tells what came of it.

    Args:
        action: as the API names it, such as `pause_queue`.
        target: to what: a job's id, a queue's name.
        make: makes it; takes the details for the audit to add to, and returns what to tell the viewer.
        right: what it takes.

    Returns:
        Whether it was made.
    """
    viewer = current_viewer()
    change = AuditEvent(
        actor=viewer.name,
        source=AuditSource.MONITOR,
        action=action,
        target=target[:LONGEST_TARGET],
        address=ui.context.client.ip[:LONGEST_ADDRESS] or None,
    )
    if refusal := why_not(right):
        _log.warning("change_refused", action=action, target=target, viewer=viewer.name)
        current_monitor().refusals.note(replace(change, outcome=AuditOutcome.REFUSED), refusal)
        ui.notify(refusal, type="negative")
        return False
    try:
        async with audited(current_monitor().resources.sessions, change) as details:
            message = await make(details)
    except FlexiPriceError as error:
        ui.notify(error.message, type="negative", multi_line=True)
        return False
    ui.notify(message, type="positive", multi_line=True)
    return True


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
