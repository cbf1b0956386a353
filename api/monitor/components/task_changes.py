"""Calling several tasks off, and trying several again, each at once and as one change."""

from collections import Counter
from collections.abc import Sequence

from nicegui import ui

from api.monitor.components.changes import perform
from api.monitor.components.confirmation import confirmed
from api.monitor.context import current_origin
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.retry import Retried
from flexiprice.queue.admin.revoke import Revoked


async def retry_together(job_ids: Sequence[str]) -> bool:
    """Tries tasks again, and tells what came of it; returns whether anything was asked of the queue."""
    if not job_ids:
        ui.notify("Choose the tasks to try again first.")
        return False

    question = f"Retry {len(job_ids)} tasks?" if len(job_ids) > 1 else "Retry this task?"
    effect = "Each that has ended is enqueued again, with its arguments, and does its work once more."
    if not await confirmed(question, effect, verb="Retry", harmless=True):
        return False
    return await perform(operations.retry_tasks(job_ids, origin=current_origin()), _told) is not None


async def revoke_together(job_ids: Sequence[str]) -> bool:
    """Calls tasks off once that is confirmed; returns whether anything was asked of the queue."""
    if not job_ids:
        ui.notify("Choose the tasks to call off first.")
        return False

    question = f"Revoke {len(job_ids)} tasks?" if len(job_ids) > 1 else "Revoke this task?"
    effect = "What waits will never start; what runs is cancelled. What has ended stays as it is."
    if not await confirmed(question, effect, verb="Revoke"):
        return False
    return await perform(operations.revoke_tasks(job_ids), _told) is not None


def _told(answers: Sequence[Retried] | Sequence[Revoked]) -> str:
    messages = [answer.message for answer in answers]
    if len(messages) == 1:
        return messages[0]
    return "\n".join(f"{number}: {text}" for text, number in Counter(messages).most_common())
