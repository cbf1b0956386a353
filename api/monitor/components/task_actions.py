"""Retries or revokes several tasks in one operation, after a confirmation."""

from collections import Counter
from collections.abc import Sequence

from nicegui import ui

from api.monitor.components.actions import perform
from api.monitor.components.confirmation import confirmed
from api.monitor.context import current_source
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.retry import Retried
from flexiprice.queue.admin.revoke import Revoked


async def retry_selected(job_ids: Sequence[str]) -> bool:
    """Retries tasks; returns whether the operation was performed."""
    if not job_ids:
        ui.notify("Select the tasks to retry first.")
        return False
    question = f"Retry {len(job_ids)} tasks?" if len(job_ids) > 1 else "Retry this task?"
    effect = "Tasks that have ended are enqueued again with the same arguments."
    if not await confirmed(question, effect, verb="Retry", harmless=True):
        return False
    return await perform(operations.retry_tasks(job_ids, source=current_source()), _summary) is not None


async def revoke_selected(job_ids: Sequence[str]) -> bool:
    """Revokes tasks; returns whether the operation was performed."""
    if not job_ids:
        ui.notify("Select the tasks to revoke first.")
        return False
    question = f"Revoke {len(job_ids)} tasks?" if len(job_ids) > 1 else "Revoke this task?"
    effect = "Waiting tasks will not start, running ones are cancelled. Tasks that have ended do not change."
    if not await confirmed(question, effect, verb="Revoke"):
        return False
    return await perform(operations.revoke_tasks(job_ids), _summary) is not None


def _summary(answers: Sequence[Retried] | Sequence[Revoked]) -> str:
    messages = [answer.message for answer in answers]
    if len(messages) == 1:
        return messages[0]
    return "\n".join(f"{number}: {text}" for text, number in Counter(messages).most_common())
