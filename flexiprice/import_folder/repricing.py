"""Enqueues the repricing of what an imported file changed."""

from flexiprice.import_folder.outcomes import FileOutcome
from flexiprice.queue.client import EnqueuedJob, TaskQueue
from flexiprice.queue.declarations import MAX_BATCHES, RECOMPUTE_ALL_DISCOUNTS, RECOMPUTE_BATCHES
from flexiprice.queue.source import JobSource


async def reprice_imported(
    tasks: TaskQueue, outcome: FileOutcome, *, source: JobSource
) -> EnqueuedJob | None:
    """Enqueues the repricing after the commit; None if no price can change.

    Raises:
        QueueFull: the queue holds `queue_limit` jobs; the next scheduled recompute reprices.
        RedisUnavailable: Redis does not answer; likewise.
    """
    if outcome.has_changed_products or len(outcome.changed_batches) > MAX_BATCHES:
        threshold = {"days_threshold": tasks.settings.days_threshold}
        return await tasks.enqueue(RECOMPUTE_ALL_DISCOUNTS, arguments=threshold, source=source)
    if outcome.changed_batches:
        named = {"batch_ids": outcome.changed_batches}
        return await tasks.enqueue(RECOMPUTE_BATCHES, arguments=named, source=source)
    return None
