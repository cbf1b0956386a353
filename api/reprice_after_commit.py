"""Enqueues the repricing of changed batches after the commit; a failure never fails the change."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from fastapi import Depends, Request

from api.audit.context import Source
from api.deps import OpenResources
from api.schemas.tasks import RepricingOut, RepricingStatus
from api.urls import status_url
from flexiprice.errors import TransientError
from flexiprice.queue.client import TaskQueue
from flexiprice.queue.declarations import (
    MAX_BATCHES,
    RECOMPUTE_ALL_DISCOUNTS,
    RECOMPUTE_BATCHES,
    TaskArguments,
    TaskDeclaration,
)
from flexiprice.queue.source import JobSource
from flexiprice.telemetry import get_logger

# Up to this number, repricing named batches costs less than recomputing all.
MAX_NAMED_BATCHES: Final = min(5000, MAX_BATCHES)
# The change is committed; the client should not wait long for an unavailable Redis.
_ENQUEUE_TIMEOUT_SECONDS: Final = 2.0

_LOGGER = get_logger(__name__)

NOT_NEEDED: Final = RepricingOut(status=RepricingStatus.NOT_NEEDED)


class Repricer:
    """Enqueues the recompute that follows a change."""

    def __init__(self, tasks: TaskQueue, *, days_threshold: int, request: Request, source: JobSource) -> None:
        self._tasks = tasks
        self._days_threshold = days_threshold
        self._request = request
        self._source = source

    async def reprice(self, batch_ids: Sequence[int]) -> RepricingOut:
        """Enqueues the repricing of these batches; of all, if they are more than `MAX_NAMED_BATCHES`."""
        if not batch_ids:
            return NOT_NEEDED
        if len(batch_ids) > MAX_NAMED_BATCHES:
            return await self.reprice_all()
        return await self._enqueue(RECOMPUTE_BATCHES, {"batch_ids": list(batch_ids)})

    async def reprice_all(self) -> RepricingOut:
        """Enqueues a recompute of all batches."""
        return await self._enqueue(RECOMPUTE_ALL_DISCOUNTS, {"days_threshold": self._days_threshold})

    async def _enqueue(
        self, task: TaskDeclaration[TaskArguments], arguments: Mapping[str, object]
    ) -> RepricingOut:
        try:
            async with asyncio.timeout(_ENQUEUE_TIMEOUT_SECONDS):
                job = await self._tasks.enqueue(task, arguments=arguments, source=self._source)
        except (TransientError, TimeoutError) as error:
            _LOGGER.warning("repricing_postponed", task=task.name, reason=str(error))
            return RepricingOut(status=RepricingStatus.POSTPONED)
        return RepricingOut(
            status=RepricingStatus.QUEUED,
            task_id=job.job_id,
            status_url=status_url(self._request, job.job_id),
        )


async def _repricer(resources: OpenResources, request: Request, source: Source) -> Repricer:
    return Repricer(
        resources.tasks, days_threshold=resources.settings.days_threshold, request=request, source=source
    )


Reprice = Annotated[Repricer, Depends(_repricer)]
