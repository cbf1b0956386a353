"""`/admin/queues`: lists, pauses, resumes and purges queues."""

from typing import Annotated

from fastapi import APIRouter, Path

from api.audit.context import Audit, Origin
from api.deps import OpenResources
from api.openapi import problems
from api.route_class import ProblemRoute
from api.schemas.workers import Purged, QueueShown
from flexiprice.queue.admin.queues import get_queue, list_queues, pause_queue, resume_queue
from flexiprice.queue.admin.revoke import purge
from flexiprice.settings import Queue

router = APIRouter(prefix="/queues", tags=["queues"], route_class=ProblemRoute)

QueuePath = Annotated[Queue, Path(description="Name of the queue.", examples=["discounts"])]


@router.get("", name="list_queues", responses=problems(401, 503))
async def get_queues(resources: OpenResources) -> list[QueueShown]:
    """Lists the queues with their numbers of waiting, deferred and running tasks."""
    return [QueueShown.of_state(state) for state in await list_queues(resources.tasks)]


@router.post("/{queue}/pause", name="pause_queue", responses=problems(401, 503))
async def pause_one_queue(
    resources: OpenResources, audit: Audit, origin: Origin, queue: QueuePath
) -> QueueShown:
    """Pauses a queue: workers stop claiming its tasks; running tasks finish. Idempotent."""
    async with audit() as details:
        details["changed"] = await pause_queue(resources.tasks, queue, by=origin.actor or "")
    return QueueShown.of_state(await get_queue(resources.tasks, queue))


@router.post("/{queue}/resume", name="resume_queue", responses=problems(401, 503))
async def resume_one_queue(resources: OpenResources, audit: Audit, queue: QueuePath) -> QueueShown:
    """Resumes a queue: workers claim its tasks again at once. Idempotent."""
    async with audit() as details:
        details["changed"] = await resume_queue(resources.tasks, queue)
    return QueueShown.of_state(await get_queue(resources.tasks, queue))


@router.post("/{queue}/purge", responses=problems(401, 503))
async def purge_queue(resources: OpenResources, audit: Audit, queue: QueuePath) -> Purged:
    """Revokes all waiting and deferred tasks of a queue; running tasks are not affected."""
    async with audit() as details:
        purged = await purge(resources.tasks, (queue,))
        details["purged"] = sum(purged.values())
    return Purged(purged=sum(purged.values()), by_queue=purged)
