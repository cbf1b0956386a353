"""Routes the jobs of plain arq clients from arq's default queue to the queues of their tasks."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from flexiprice.queue.declarations import TaskArguments
from flexiprice.queue.default_queue import DefaultQueueJob, find_due, route
from flexiprice.queue.task_definitions import TASKS
from flexiprice.settings import Queue
from flexiprice.telemetry import get_logger
from workers.runtime.context import WorkerContext
from workers.runtime.jobs.task import Task
from workers.runtime.redis_retry import REDIS_UNAVAILABLE

_LOGGER = get_logger(__name__)
# A plain arq client announces nothing, so the queue is polled.
_POLL_SECONDS: Final = 1.0


class DefaultQueueRouter:
    """Routes due jobs of `arq:queue`. Any number of workers may route concurrently."""

    def __init__(
        self, context: WorkerContext, tasks: Iterable[Task[TaskArguments]], queues: Sequence[Queue]
    ) -> None:
        """Starts from the declared tasks and those of the worker.

        Args:
            context: the resources of the worker process.
            tasks: the tasks of this worker, in addition to the declared ones.
            queues: the queues of this worker. The first receives unreadable jobs and unknown tasks, so that a
                worker rejects them visibly.
        """
        self._redis = context.redis
        self._redis_retry = context.redis_retry
        self._settings = context.settings
        declared = {task.name: task.queue for task in TASKS}
        own = {task.declaration.name: task.declaration.queue for task in tasks}
        self._queue_of: Mapping[str, Queue] = {**declared, **own}
        self._reject_queue = queues[0]

    async def main(self) -> None:
        """Routes until it is cancelled."""
        while True:
            try:
                more = await self.route_due()
            except REDIS_UNAVAILABLE as error:
                self._redis_retry.mark_down(error)
                more = False
            if not more:
                await asyncio.sleep(_POLL_SECONDS)

    async def route_due(self) -> bool:
        """Routes the first due jobs. Returns whether any was routed; if so, more may follow.

        Raises:
            RedisUnavailable: Redis does not answer.
        """
        seconds, _ = cast("tuple[int, int]", await cast("Any", self._redis).time())
        jobs = await find_due(self._redis, now_ms=seconds * 1000)
        routed = 0
        for job in jobs:
            queue = self._destination(job, now_ms=seconds * 1000)
            if queue is not None and await route(
                self._redis, job, queue, queue_limit=self._settings.queue_limit
            ):
                routed += 1
                _LOGGER.info("job_routed", job_id=job.job_id, task=job.task, queue=queue.value)
        return routed > 0

    def _destination(self, job: DefaultQueueJob, *, now_ms: int) -> Queue | None:
        if job.task is None:
            return self._reject_queue
        if job.task in self._queue_of:
            return self._queue_of[job.task]
        # A worker of a newer version may know the task, as in a deploy.
        timeout_ms = self._settings.unknown_task_timeout.total_seconds() * 1000
        return self._reject_queue if now_ms - job.due_ms > timeout_ms else None
