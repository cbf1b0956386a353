"""Retries and dismisses dead letters, some or all."""

from collections.abc import Sequence
from typing import Final

from flexiprice.queue.admin.dead_letters import MAX_LISTED, dismiss_dead_letters, list_dead_letters
from flexiprice.queue.admin.retry import Retried, RetryOutcome, retry_jobs
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.source import JobSource

# Rounds of `MAX_LISTED` dead letters: a limit for one request, and enough for all.
_RETRY_ROUNDS: Final = 2
_DISMISS_ROUNDS: Final = 40


async def retry_letters(
    tasks: TaskQueue, job_ids: Sequence[str] | None, *, source: JobSource
) -> tuple[Retried, ...]:
    """Enqueues dead letters again, which removes them from the list.

    Args:
        tasks: the task queue.
        job_ids: the jobs; None for all retryable ones, up to 1,000 or until a queue is full.
        source: the source of the new jobs.

    Raises:
        RedisUnavailable: Redis does not answer; some may have been enqueued.
    """
    if job_ids is not None:
        return await retry_jobs(tasks, job_ids, source=source)
    answers: list[Retried] = []
    for _ in range(_RETRY_ROUNDS):
        tried = {answer.job_id for answer in answers}
        letters = await list_dead_letters(tasks.redis)
        ids = [letter.job_id for letter in letters if letter.retryable and letter.job_id not in tried]
        if not ids:
            break
        answers += await retry_jobs(tasks, ids, source=source)
        if len(letters) < MAX_LISTED or any(answer.outcome is RetryOutcome.REFUSED for answer in answers):
            break
    return tuple(answers)


async def dismiss(tasks: TaskQueue, job_ids: Sequence[str] | None) -> int:
    """Deletes dead letters; returns how many there were.

    Args:
        tasks: the task queue.
        job_ids: the jobs; None for all.

    Raises:
        RedisUnavailable: Redis does not answer; some may have been dismissed.
    """
    if job_ids is not None:
        return await dismiss_dead_letters(tasks, job_ids)
    dismissed = 0
    for _ in range(_DISMISS_ROUNDS):
        letters = await list_dead_letters(tasks.redis)
        dismissed += await dismiss_dead_letters(tasks, [letter.job_id for letter in letters])
        if len(letters) < MAX_LISTED:
            break
    return dismissed
