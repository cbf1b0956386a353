"""Calling several tasks off, and trying several again, each at once and as one change."""

from collections import Counter
from collections.abc import Sequence

from nicegui import ui

from api.monitor.components.changes import perform
from api.monitor.components.confirmation import confirmed
from api.monitor.context import current_monitor, current_origin
from flexiprice.queue.admin.retry import retry_jobs
from flexiprice.queue.admin.revoke import revoke_jobs


async def retry_together(job_ids: Sequence[str]) -> bool:
    """Tries tasks again, and tells what came of it; returns whether anything was asked of the queue."""
    if not job_ids:
        ui.notify("Choose the tasks to try again first.")
        return False

    async def retry(details: dict[str, object]) -> str:
        answers = await retry_jobs(current_monitor().resources.tasks, job_ids, origin=current_origin())
        details["new_task_ids"] = {answer.job_id: answer.new_job_id for answer in answers}
        return _told([answer.message for answer in answers])

    question = f"Retry {len(job_ids)} tasks?" if len(job_ids) > 1 else "Retry this task?"
    effect = "Each that has ended is enqueued again, with its arguments, and does its work once more."
    return await confirmed(question, effect, verb="Retry", harmless=True) and await perform(
        "retry_tasks", ", ".join(job_ids), retry
    )


async def revoke_together(job_ids: Sequence[str]) -> bool:
    """Calls tasks off once that is confirmed; returns whether anything was asked of the queue."""
    if not job_ids:
        ui.notify("Choose the tasks to call off first.")
        return False

    async def revoke(details: dict[str, object]) -> str:
        answers = await revoke_jobs(current_monitor().resources.tasks, job_ids)
        details["outcomes"] = {answer.job_id: answer.outcome.value for answer in answers}
        return _told([answer.message for answer in answers])

    question = f"Revoke {len(job_ids)} tasks?" if len(job_ids) > 1 else "Revoke this task?"
    effect = "What waits will never start; what runs is cancelled. What has ended stays as it is."
    return await confirmed(question, effect, verb="Revoke") and await perform(
        "revoke_tasks", ", ".join(job_ids), revoke
    )


def _told(messages: Sequence[str]) -> str:
    if len(messages) == 1:
        return messages[0]
    return "\n".join(f"{number}: {text}" for text, number in Counter(messages).most_common())
