"""Changes the database for the current user: checks the right, records the change, shows the outcome."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from nicegui import ui
from sqlalchemy.ext.asyncio import AsyncSession

from api.monitor.auth.user import Right
from api.monitor.components.actions import event_of_user, has_right
from api.monitor.context import current_monitor
from flexiprice.access.audit_context import record_refused
from flexiprice.access.audit_log import record_audit
from flexiprice.db.engine import database_errors
from flexiprice.errors import FlexiPriceError

AnswerT = TypeVar("AnswerT")


async def change_database(
    action: str,
    target: str,
    make: Callable[[AsyncSession], Awaitable[AnswerT]],
    message: Callable[[AnswerT], str],
    *,
    right: Right = Right.PRICE,
) -> AnswerT | None:
    """Makes a change and its audit entry in one transaction, and notifies the user.

    Args:
        action: the kind of change in the audit log.
        target: its object.
        make: makes the change.
        message: returns the notification for an answer.
        right: the right that the change requires.

    Returns:
        The answer; None if the change was refused.
    """
    sessions, event = current_monitor().resources.sessions, event_of_user(action, target)
    if not has_right(right, event):
        return None
    try:
        with database_errors():
            async with sessions.begin() as session:
                answer = await make(session)
                await record_audit(session, [event])
    except FlexiPriceError as error:
        await record_refused(sessions, event, error)
        ui.notify(error.message, type="negative", multi_line=True)
        return None
    ui.notify(message(answer), type="positive", multi_line=True)
    return answer
