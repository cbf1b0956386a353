"""`/admin/queues`: lists, pauses, resumes and purges queues."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.audit.context import Perform, Source
from api.deps import OpenResources
from api.openapi import problems
from api.route_class import ProblemRoute
from api.schemas.workers import PurgedOut, QueueOut
from flexiprice.queue.admin import operations
from flexiprice.queue.admin.queues import get_queue, list_queues
from flexiprice.settings import Queue

router = APIRouter(prefix="/queues", tags=["queues"], route_class=ProblemRoute)

QueuePath = Annotated[Queue, Path(description="Name of the queue.", examples=["discounts"])]


@router.get("", name="list_queues", responses=problems(401, 503))
async def get_queues(resources: OpenResources) -> list[QueueOut]:
    """Lists the queues with their numbers of waiting, deferred and running tasks."""
    return [QueueOut.of_state(state) for state in await list_queues(resources.tasks)]


@router.post("/{queue}/pause", name="pause_queue", responses=problems(401, 503))
async def pause_one_queue(
    resources: OpenResources, perform: Perform, source: Source, queue: QueuePath
) -> QueueOut:
    """Pauses a queue: workers stop claiming its tasks; running tasks finish. Idempotent."""
    await perform(operations.pause_queue(queue, by=source.actor or ""))
    return QueueOut.of_state(await get_queue(resources.tasks, queue))


@router.post("/{queue}/resume", name="resume_queue", responses=problems(401, 503))
async def resume_one_queue(resources: OpenResources, perform: Perform, queue: QueuePath) -> QueueOut:
    """Resumes a queue: workers claim its tasks again at once. Idempotent."""
    await perform(operations.resume_queue(queue))
    return QueueOut.of_state(await get_queue(resources.tasks, queue))


@router.post("/{queue}/purge", responses=problems(401, 503))
async def purge_queue(perform: Perform, queue: QueuePath) -> PurgedOut:
    """Revokes all waiting and deferred tasks of a queue; running tasks are not affected."""
    purged = await perform(operations.purge_queue(queue))
    return PurgedOut(purged=purged, by_queue={queue: purged})
